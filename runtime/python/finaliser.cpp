#include "runtime/python/finaliser.h"

namespace stmpy {
namespace {

destructor call_del = nullptr;  // the interpreter's: calls __del__ as the class has it now

// Whoever calls a finaliser finds the object resurrected, if it has to wait. It is marked as finalised all
// the same, so this is called once.
void finalise(PyObject* self) {
  Thread* thread = this_thread_if_any();
  if (thread && thread->in_transaction()) {
    RaisedException raised = RaisedException::take();
    Companions* companions = companions_of(*thread);
    if (companions && !companions->dying) companions->dying = Ref::steal(PyList_New(0));
    const bool waits = companions && companions->dying && PyList_Append(companions->dying.get(), self) == 0;
    if (!waits) PyErr_Clear();
    raised.raise_again();
    if (waits) return;
  }
  call_del(self);
}

}  // namespace

void defer_finaliser(PyTypeObject* type) {
  if (!type->tp_finalize || type->tp_finalize == finalise) return;
  if (!call_del) {
    static PyObject* const name = PyUnicode_InternFromString("__del__");
    const Ref method = name ? type_lookup(type, name) : Ref();
    if (!method || !PyFunction_Check(method.get())) return;
    call_del = type->tp_finalize;
  }
  if (type->tp_finalize == call_del) type->tp_finalize = finalise;
}

void call_deferred_finalisers(Ref dying) {
  for (Py_ssize_t index = 0; index < PyList_GET_SIZE(dying.get()); ++index)
    call_del(PyList_GET_ITEM(dying.get(), index));
}

}  // namespace stmpy
