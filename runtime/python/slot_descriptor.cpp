// The descriptor that stands in a class where `__slots__` had put one of the interpreter's: the same
// attribute, but its values are in the payload, where they are transactional.

#include <cstddef>

#include "runtime/python/instance.h"

namespace stmpy {
namespace {

struct SlotDescriptor {
  PyObject_HEAD PyObject* owner;  // the class that declares the slot
  PyObject* name;                 // interned
};

SlotDescriptor* descriptor_of(PyObject* self) { return reinterpret_cast<SlotDescriptor*>(self); }

PyObject* slot_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *owner, *name;
  if (!PyArg_ParseTuple(args, "O!U", &PyType_Type, &owner, &name)) return nullptr;
  Ref interned = interned_name(name);
  PyObject* self = interned ? type->tp_alloc(type, 0) : nullptr;
  if (!self) return nullptr;
  descriptor_of(self)->owner = Py_NewRef(owner);
  descriptor_of(self)->name = interned.release();
  return self;
}

int slot_clear(PyObject* self) {
  Py_CLEAR(descriptor_of(self)->owner);
  return 0;
}

void slot_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  slot_clear(self);
  Py_CLEAR(descriptor_of(self)->name);
  Py_TYPE(self)->tp_free(self);
}

int slot_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(descriptor_of(self)->owner);
  return 0;
}

bool check_instance(PyObject* self, PyObject* object) {
  if (is_stm_object(object) &&
      PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(descriptor_of(self)->owner)))
    return true;
  PyErr_Format(PyExc_TypeError, "descriptor '%U' for '%.100s' objects doesn't apply to a '%.100s' object",
               descriptor_of(self)->name,
               reinterpret_cast<PyTypeObject*>(descriptor_of(self)->owner)->tp_name,
               Py_TYPE(object)->tp_name);
  return false;
}

PyObject* slot_get(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) return Py_NewRef(self);
  Thread* thread = this_thread();
  if (!thread || !check_instance(self, object)) return nullptr;
  PyObject* value = nullptr;
  Done done;
  do done = read_instance(*thread, object, descriptor_of(self)->name, value);
  while (done == Done::Again);
  if (done == Done::Yes && !value) raise_unset_slot(object, descriptor_of(self)->name);
  return value;
}

int slot_set(PyObject* self, PyObject* object, PyObject* value) {
  Thread* thread = this_thread();
  if (!thread || !check_instance(self, object)) return -1;
  return write_instance(*thread, object, descriptor_of(self)->name, value);
}

PyObject* slot_repr(PyObject* self) {
  return PyUnicode_FromFormat("<member '%U' of '%.100s' objects>", descriptor_of(self)->name,
                              reinterpret_cast<PyTypeObject*>(descriptor_of(self)->owner)->tp_name);
}

PyObject* slot_qualified_name(PyObject* self, void*) {
  Ref owner = Ref::steal(PyObject_GetAttrString(descriptor_of(self)->owner, "__qualname__"));
  return owner ? PyUnicode_FromFormat("%S.%U", owner.get(), descriptor_of(self)->name) : nullptr;
}

PyGetSetDef slot_getsets[] = {
    {"__qualname__", slot_qualified_name, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// As an ordinary member descriptor: getattr(owner, name).
PyObject* slot_reduce(PyObject* self, PyObject*) {
  Ref builtins = Ref::steal(PyImport_ImportModule("builtins"));
  Ref get = builtins ? Ref::steal(PyObject_GetAttrString(builtins.get(), "getattr")) : Ref();
  return get ? Py_BuildValue("O(OO)", get.get(), descriptor_of(self)->owner, descriptor_of(self)->name)
             : nullptr;
}

PyMethodDef slot_methods[] = {
    {"__reduce__", slot_reduce, METH_NOARGS, "Helper for pickle."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef slot_members[] = {
    {"__objclass__", T_OBJECT, offsetof(SlotDescriptor, owner), READONLY, nullptr},
    {"__name__", T_OBJECT, offsetof(SlotDescriptor, name), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyTypeObject make_slot_descriptor_type() {
  PyTypeObject type = unready_type("stmpy._runtime.SlotDescriptor");
  type.tp_basicsize = sizeof(SlotDescriptor);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type.tp_new = slot_new;
  type.tp_dealloc = slot_dealloc;
  type.tp_traverse = slot_traverse;
  type.tp_clear = slot_clear;
  type.tp_descr_get = slot_get;
  type.tp_descr_set = slot_set;
  type.tp_repr = slot_repr;
  type.tp_members = slot_members;
  type.tp_getset = slot_getsets;
  type.tp_methods = slot_methods;
  return type;
}

}  // namespace

PyTypeObject slot_descriptor_type = make_slot_descriptor_type();

bool is_slot(PyObject* attribute, PyTypeObject* type, PyObject* interned_name) {
  return Py_IS_TYPE(attribute, &slot_descriptor_type) && descriptor_of(attribute)->name == interned_name &&
         PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(descriptor_of(attribute)->owner));
}

}  // namespace stmpy
