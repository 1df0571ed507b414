#include "runtime/python/collections/keyed_methods.h"

namespace stmpy {

PyObject* clear_method(PyObject* self, PyObject*) {
  Thread* thread = this_thread();
  std::vector<Item> taken;
  if (!thread || !in_writing_transaction(*thread, self, [&] { return take_all(*thread, self, taken); }))
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* memory_of(PyObject* self, PyObject*) {
  auto* const type = reinterpret_cast<PyObject*>(stm_object_type);
  const Ref shell = Ref::steal(PyObject_CallMethod(type, "__sizeof__", "O", self));
  return shell ? PyLong_FromSize_t(PyLong_AsSize_t(shell.get()) + keyed(self).table->memory()) : nullptr;
}

PyObject* raise_key_error(PyObject* key) {
  const Ref error = Ref::steal(PyObject_CallOneArg(PyExc_KeyError, key));
  if (error) PyErr_SetObject(PyExc_KeyError, error.get());
  return nullptr;
}

}  // namespace stmpy
