#include "runtime/python/unrecorded.h"

#include "runtime/python/errors.h"
#include "runtime/python/layout.h"
#include "runtime/python/payload.h"

namespace stmpy {
namespace {

struct Unrecorded {
  PyObject_HEAD Thread* thread;  // null: not entered, or outside of a transaction
  std::uint64_t level;           // of the call it was entered in
  bool entered;
};

Unrecorded* context_of(PyObject* self) { return reinterpret_cast<Unrecorded*>(self); }

// Compiled code may store on payloads that it holds for writing: from here on that is an access to the
// object.
void forward_what_is_written(Thread& thread) {
  core::Descriptor& self = thread.descriptor;
  core::for_each_pair(self, [&](const core::Record& record, void* object) {
    if (core::is_write(record.held_by(self))) forward_if_held(shell_of(static_cast<PyObject*>(object)));
  });
}

PyObject* enter(PyObject* self, PyObject*) {
  Unrecorded* context = context_of(self);
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  if (context->entered) {
    PyErr_SetString(errors::usage_error,
                    "this unrecorded() has been entered already: write 'with unrecorded():' for each");
    return nullptr;
  }
  if (thread->in_transaction()) {
    Companions* companions = companions_of(*thread);
    if (!companions) return nullptr;
    if (companions->unrecorded++ == 0) {
      companions->unrecorded_level = thread->level;
      core::suspend_quick_access(thread->descriptor);
      forward_what_is_written(*thread);
    }
    context->thread = thread;
    context->level = companions->unrecorded_level;
  }
  context->entered = true;
  Py_RETURN_NONE;
}

PyObject* exit(PyObject* self, PyObject*) {
  Unrecorded* context = context_of(self);
  Thread* thread = std::exchange(context->thread, nullptr);
  context->entered = false;
  // Of another thread, or of a call that has ended: no two ever have the same level.
  if (thread && thread == this_thread_if_any() && is_unrecorded(*thread) &&
      thread->companions->unrecorded_level == context->level && --thread->companions->unrecorded == 0) {
    core::resume_quick_access(thread->descriptor);
  }
  Py_RETURN_FALSE;
}

PyMethodDef methods[] = {
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", exit, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.unrecorded");
  type.tp_doc =
      "unrecorded()\n\n"
      "A context in which reads of STMObjects leave no trace in this thread's transaction: for debuggers, "
      "repr and "
      "logging. They never wait, conflict or abort, also where the transaction has to abort already. What "
      "the "
      "transaction has read or written they see as it does; everything else as code outside of transactions "
      "does, "
      "that is as it was committed last, and perhaps not together with the rest.\n\n"
      "Raises TransactionUsageError where code in it writes, or calls an atomic function. It ends with the "
      "call in "
      "which it was entered; a transaction in which it is still open (a generator was left in it) does not "
      "commit. Outside of a transaction it changes nothing.";
  type.tp_basicsize = sizeof(Unrecorded);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_new = PyType_GenericNew;
  type.tp_methods = methods;
  return type;
}

}  // namespace

void raise_unrecorded(const char* what) {
  PyErr_Format(errors::usage_error,
               "%s in 'with unrecorded():', where a transaction only looks: do it behind it%s", what,
               "; if there is none here, a generator that was suspended in one has left it open");
}

void end_unrecorded(Thread& thread, std::uint64_t level) {
  if (is_unrecorded(thread) && thread.companions->unrecorded_level == level)
    thread.companions->unrecorded = 0;
}

int add_unrecorded(PyObject* module) {
  static PyTypeObject type = make_type();
  if (PyType_Ready(&type) < 0) return -1;
  return PyModule_AddObjectRef(module, "unrecorded", reinterpret_cast<PyObject*>(&type));
}

}  // namespace stmpy
