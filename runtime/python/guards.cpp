#include "runtime/python/guards.h"

#include "runtime/python/barriers.h"
#include "runtime/python/errors.h"

namespace stmpy {
namespace {

// The thread, if its transaction is unwinding.
Thread* unwinding_thread() {
  Thread* thread = this_thread_if_any();
  return thread && thread->in_transaction() && is_unwinding(*thread) ? thread : nullptr;
}

PyObject* abort_again(Thread& thread) {
  raise_abort(thread);
  return nullptr;
}

// What a handler is matched with, in place of `types`. The attempt's own abort matches nothing, so it goes on
// unwinding; but where it is met once more by code that cleans up after it, that code may handle it.
PyObject* caught(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 0 && !check_count("caught", count, 1)) return nullptr;
  PyObject* types = count == 1 ? args[0] : PyExc_BaseException;
  if (Thread* thread = unwinding_thread()) {
    const Ref exception = Ref::steal(PyErr_GetHandledException());
    const bool aborts = exception && exception.get() != Py_None && is_abort(exception.get());
    if (aborts && thread->told && !follows_abort(exception.get())) return Py_NewRef(errors::never_raised);
    if (!aborts && must_abort(*thread)) return abort_again(*thread);
  }
  return Py_NewRef(types);
}

// Whether the exception that is being handled came to the code that calls us, and not to one that called it:
// the newest entry of its traceback is of the frame it was last unwound to.
bool is_unwinding_caller(PyObject* exception) {
  const Ref traceback = Ref::steal(PyException_GetTraceback(exception));
  return traceback && reinterpret_cast<PyTracebackObject*>(traceback.get())->tb_frame == PyEval_GetFrame();
}

// In a `finally`, in front of a return or a jump that would drop the exception that is unwinding. Returns the
// value.
PyObject* leaving(PyObject*, PyObject* value) {
  if (Thread* thread = unwinding_thread()) {
    const Ref exception = Ref::steal(PyErr_GetHandledException());
    const bool drops = exception && exception.get() != Py_None && is_unwinding_caller(exception.get());
    if (drops || must_abort(*thread)) return abort_again(*thread);
  }
  return Py_NewRef(value);
}

PyObject* checkpoint(PyObject*, PyObject*) {
  if (Thread* thread = unwinding_thread(); thread && must_abort(*thread)) return abort_again(*thread);
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef guard_methods[] = {
    {"caught", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(caught)), METH_FASTCALL,
     "caught([types]): what a handler of these exceptions, or of all, is matched with"},
    {"leaving", leaving, METH_O, "leaving(value): the value, unless an abort would be dropped"},
    // With an argument that nobody needs: calls of one argument are what interpreters specialise best.
    {"checkpoint", checkpoint, METH_O, "checkpoint(None): raises an abort that was swallowed again"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
