#include "runtime/python/asynchronous_abort.h"

#include "runtime/python/errors.h"

namespace stmpy {
namespace {

#if PY_VERSION_HEX < 0x030d0000
// A function of Python's that does nothing. Null with an exception.
PyObject* nothing() {
  static PyObject* function = nullptr;
  if (function) return function;
  Ref globals = Ref::steal(PyDict_New());
  Ref done =
      globals ? Ref::steal(PyRun_String("def nothing(): pass", Py_file_input, globals.get(), globals.get()))
              : Ref();
  return done ? function = Py_XNewRef(PyDict_GetItemString(globals.get(), "nothing")) : nullptr;
}

int raise(void* exception) {
  const Ref raised = Ref::steal(static_cast<PyObject*>(exception));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(raised.get())), raised.get());
  return -1;
}

// Up to 3.12 an exception that is withdrawn leaves the interpreter looking for it for ever, and a traced
// function hangs in that (DO_TRACING goes back to its beginning while anything is pending). So it is let in,
// and dropped.
void drop_asynchronous_exception(unsigned long) {
  PyObject* function = nothing();
  if (!function) return PyErr_Clear();
  while (!Ref::steal(PyObject_CallNoArgs(function))) {
    const bool ours = PyErr_ExceptionMatches(errors::abort_transaction);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    // Of a signal's handler, which runs first: it is the main thread's, and raised there as soon as this is
    // over.
    if (ours || Py_AddPendingCall(raise, value) < 0) Py_XDECREF(value);
    if (ours) return;
  }
}
#else
void drop_asynchronous_exception(unsigned long ident) { PyThreadState_SetAsyncExc(ident, nullptr); }
#endif

}  // namespace

// No lock: PyThreadState_SetAsyncExc takes one of the interpreter's, under which a free-threaded build may
// stop all threads, and one that waited here for a lock of ours would never stop.
void abort_asynchronously(const core::Attempt& doomed) {
  Thread* thread = thread_of(*doomed.descriptor);
  Telling quiet = Telling::Quiet;
  if (!thread || !thread->telling.compare_exchange_strong(quiet, Telling::Sending)) return;
  // Announced first: an attempt that ends now waits for what is decided here.
  const core::Status now = doomed.descriptor->state();
  const bool in_time = now.generation() == doomed.generation && now.state() == core::State::Doomed;
  const bool sent = in_time && PyThreadState_SetAsyncExc(thread->ident.get(), errors::abort_transaction) == 1;
  thread->telling.store(sent ? Telling::Sent : Telling::Quiet);
}

void take_back_asynchronous_abort(Thread& thread) {
  while (thread.telling.load() == Telling::Sending) {
    Py_BEGIN_ALLOW_THREADS core::pause();
    Py_END_ALLOW_THREADS
  }
  if (thread.telling.exchange(Telling::Quiet) == Telling::Sent)
    drop_asynchronous_exception(thread.ident.get());
}

}  // namespace stmpy
