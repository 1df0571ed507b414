#include "runtime/python/transaction_local.h"

#include <cstddef>
#include <new>

#include "runtime/python/barriers.h"
#include "runtime/python/errors.h"

namespace stmpy {
namespace {

struct TransactionLocal {
  PyObject_HEAD PyObject* factory;
  PyObject* weakrefs;
};

TransactionLocal* local_of(PyObject* self) { return reinterpret_cast<TransactionLocal*>(self); }

void* put_back(void* binding, void* old_value) {
  auto* changed = static_cast<Binding*>(binding);
  PyObject* replaced = changed->value.release();
  changed->value = Ref::steal(static_cast<PyObject*>(old_value));
  return replaced;
}
constexpr core::Change kBinding{put_back};

// Null with an exception: outside of a transaction there is no value.
Thread* thread_in_transaction() {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  if (!thread->in_transaction()) {
    PyErr_SetString(errors::usage_error,
                    "a TransactionLocal has a value in a transaction only: use it in an atomic function, or "
                    "hand the value itself to code that runs outside");
    return nullptr;
  }
  if (!must_abort(*thread)) return thread;
  raise_abort(*thread);
  return nullptr;
}

// The replaced value is released last (any code may run). False with MemoryError.
bool bind(Thread& thread, PyObject* self, Ref value) {
  Companions* companions = companions_of(thread);
  if (!companions || !reserve_entry(thread)) return false;
  Binding* binding;
  try {
    binding = &companions->locals.try_emplace(self).first->second;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  if (!binding->local) binding->local = Ref::borrow(self);
  // Outside of all savepoints nothing is put back: the whole attempt takes the binding with it.
  if (core::must_log_again(thread.descriptor, binding->key))
    log_companion(thread, binding, kBinding, Ref::borrow(binding->value.get()));
  binding->value = std::move(value);
  return true;
}

PyObject* get(PyObject* self, PyObject*) {
  Thread* thread = thread_in_transaction();
  if (!thread) return nullptr;
  if (Companions* companions = thread->companions.get()) {
    const auto found = companions->locals.find(self);
    if (found != companions->locals.end() && found->second.value) return Py_NewRef(found->second.value.get());
  }
  Ref value = Ref::steal(PyObject_CallNoArgs(local_of(self)->factory));
  thread = value ? thread_in_transaction() : nullptr;
  return thread && bind(*thread, self, Ref::borrow(value.get())) ? value.release() : nullptr;
}

PyObject* set(PyObject* self, PyObject* value) {
  Thread* thread = thread_in_transaction();
  if (!thread || !bind(*thread, self, Ref::borrow(value))) return nullptr;
  Py_RETURN_NONE;
}

PyObject* get_value(PyObject* self, void*) { return get(self, nullptr); }

int set_value(PyObject* self, PyObject* value, void*) {
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "the value of a TransactionLocal cannot be deleted");
    return -1;
  }
  return Ref::steal(set(self, value)) ? 0 : -1;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"factory", nullptr};
  PyObject* factory;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:TransactionLocal", const_cast<char**>(names), &factory))
    return nullptr;
  if (!PyCallable_Check(factory)) {
    PyErr_Format(errors::usage_error,
                 "TransactionLocal needs a function without parameters that makes the first value, not %R: "
                 "TransactionLocal(list), TransactionLocal(lambda: 0)",
                 factory);
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self) local_of(self)->factory = Py_NewRef(factory);
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(local_of(self)->factory);
  return 0;
}

// The factory stays: whoever still has the object, in a finaliser, may ask for a value.
void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (local_of(self)->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(local_of(self)->factory);
  Py_TYPE(self)->tp_free(self);
}

PyObject* repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("stmpy.TransactionLocal(...)") : nullptr;
  PyObject* text = PyUnicode_FromFormat("stmpy.TransactionLocal(%R)", local_of(self)->factory);
  Py_ReprLeave(self);
  return text;
}

PyMethodDef methods[] = {
    {"get", get, METH_NOARGS,
     "get()\n\nThe value in this thread's transaction; made by the factory if there is none yet.\n\n"
     "Raises TransactionUsageError outside of a transaction, and what the factory raises."},
    {"set", set, METH_O,
     "set(value, /)\n\nGives it another value for the rest of this thread's transaction.\n\n"
     "Raises TransactionUsageError outside of a transaction."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "TransactionLocal[type of the value]"},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef getsets[] = {
    {"value", get_value, set_value, "What get() returns; assigning to it is set().", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.TransactionLocal");
  type.tp_doc =
      "TransactionLocal(factory)\n\n"
      "A value for each transaction of each thread: made by factory() at its first use, gone at the end of "
      "the "
      "attempt, so that each attempt starts anew. Nested calls see the value of the outermost one.\n\n"
      "A part of the transaction that is taken back takes back which value there was, or that there was "
      "none. "
      "That is the reference only: what was done to a mutable value stays done.\n\n"
      "Raises TransactionUsageError if the factory is not callable.";
  type.tp_basicsize = sizeof(TransactionLocal);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type.tp_new = make;
  type.tp_dealloc = dealloc;
  type.tp_traverse = traverse;
  type.tp_repr = repr;
  type.tp_methods = methods;
  type.tp_getset = getsets;
  type.tp_weaklistoffset = offsetof(TransactionLocal, weakrefs);
  return type;
}

PyTypeObject* type() {
  static PyTypeObject the_type = make_type();
  return &the_type;
}

}  // namespace

int add_transaction_local(PyObject* module) {
  if (PyType_Ready(type()) < 0) return -1;
  return PyModule_AddObjectRef(module, "TransactionLocal", reinterpret_cast<PyObject*>(type()));
}

}  // namespace stmpy
