#include "runtime/python/atomic_function.h"

#include <cstddef>
#include <new>

#include "runtime/python/call.h"

namespace stmpy {
namespace {

struct AtomicFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* function;
  Options options;
  PyObject* dict;
  PyObject* weakrefs;
};

AtomicFunction* atomic_of(PyObject* self) { return reinterpret_cast<AtomicFunction*>(self); }

PyObject* call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* kwnames) {
  AtomicFunction* atomic = atomic_of(self);
  return call_atomically(atomic->options, atomic->function, args, nargsf, kwnames);
}

int clear(PyObject* self) {
  Py_CLEAR(atomic_of(self)->function);
  Py_CLEAR(atomic_of(self)->dict);
  return 0;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(atomic_of(self)->function);
  Py_VISIT(atomic_of(self)->dict);
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (atomic_of(self)->weakrefs) PyObject_ClearWeakRefs(self);
  clear(self);
  Py_CLEAR(atomic_of(self)->options.name);
  Py_TYPE(self)->tp_free(self);
}

PyObject* get(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

PyObject* repr(PyObject* self) {
  return PyUnicode_FromFormat("<atomic function %U at %p>", atomic_of(self)->options.name, self);
}

// Pickled by name, as functions are.
PyObject* reduce(PyObject* self, PyObject*) { return PyObject_GetAttrString(self, "__qualname__"); }

// From 3.14 on functools.update_wrapper copies `__annotate__` only, and functions make their annotations of
// it when asked.
PyObject* get_annotations(PyObject* self, void*) {
  AtomicFunction* atomic = atomic_of(self);
  PyObject* own = atomic->dict ? PyDict_GetItemString(atomic->dict, "__annotations__") : nullptr;
  return own ? Py_NewRef(own) : PyObject_GetAttrString(atomic->function, "__annotations__");
}

int set_annotations(PyObject* self, PyObject* value, void*) {
  Ref dict = Ref::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return -1;
  return value ? PyDict_SetItemString(dict.get(), "__annotations__", value)
               : PyDict_DelItemString(dict.get(), "__annotations__");
}

// What a debugger asks for when it is told to stop in the function.
PyObject* get_from_function(PyObject* self, void* name) {
  return PyObject_GetAttrString(atomic_of(self)->function, static_cast<const char*>(name));
}

PyMethodDef methods[] = {
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef getsets[] = {
    {"__annotations__", get_annotations, set_annotations, nullptr, nullptr},
    {"__code__", get_from_function, nullptr, nullptr, const_cast<char*>("__code__")},
    {"__globals__", get_from_function, nullptr, nullptr, const_cast<char*>("__globals__")},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.AtomicFunction");
  type.tp_doc = "A function each of whose calls is a transaction, made by @atomic.";
  type.tp_basicsize = sizeof(AtomicFunction);
  type.tp_flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
  type.tp_vectorcall_offset = offsetof(AtomicFunction, vectorcall);
  type.tp_call = PyVectorcall_Call;
  type.tp_dealloc = dealloc;
  type.tp_traverse = traverse;
  type.tp_clear = clear;
  type.tp_descr_get = get;
  type.tp_repr = repr;
  type.tp_methods = methods;
  type.tp_getset = getsets;
  type.tp_dictoffset = offsetof(AtomicFunction, dict);
  type.tp_weaklistoffset = offsetof(AtomicFunction, weakrefs);
  return type;
}

}  // namespace

PyTypeObject atomic_function_type = make_type();

PyObject* make_atomic_function(PyObject* function, const Options& options) {
  Ref self = Ref::steal(atomic_function_type.tp_alloc(&atomic_function_type, 0));
  if (!self) return nullptr;
  AtomicFunction* atomic = atomic_of(self.get());
  atomic->vectorcall = call;
  atomic->function = Py_NewRef(function);
  new (&atomic->options) Options(options);
  Py_INCREF(options.name);
  share_between_threads(self.get());
  Ref functools = Ref::steal(PyImport_ImportModule("functools"));
  Ref updated =
      functools
          ? Ref::steal(PyObject_CallMethod(functools.get(), "update_wrapper", "OO", self.get(), function))
          : Ref();
  return updated ? self.release() : nullptr;
}

}  // namespace stmpy
