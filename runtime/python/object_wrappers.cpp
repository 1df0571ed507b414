// Frozen dataclasses, attrs and mixins call `object.__setattr__(self, name, value)`. On an STMObject that
// would write into storage that no barrier knows, so calls of these three slot wrappers (and of the method
// wrappers bound from them) go to the barriers where the object is an STMObject.
//
// The calls are intercepted in the `tp_call` of the two wrapper types. Exchanging the wrappers' `wrapperbase`
// instead would be visible: type creation compares it, and every class made afterwards would lose its fast
// attribute access.

#include "runtime/python/object_wrappers.h"

#include "runtime/python/object.h"

namespace stmpy {
namespace {

ternaryfunc call_slot_wrapper, call_method_wrapper;
PyObject *object_getattribute, *object_setattr, *object_delattr;

// Layout of CPython's method-wrapper objects, the same in all versions that are supported; checked at import.
struct MethodWrapper {
  PyObject_HEAD PyObject* descriptor;
  PyObject* self;
};

bool is_redirected(PyObject* wrapper) {
  return wrapper == object_setattr || wrapper == object_getattribute || wrapper == object_delattr;
}

PyObject* call_barrier(PyObject* wrapper, PyObject* object, PyObject* const* args) {
  if (wrapper == object_getattribute) return get_attribute(object, args[0]);
  if (set_attribute(object, args[0], wrapper == object_setattr ? args[1] : nullptr) < 0) return nullptr;
  Py_RETURN_NONE;
}

// Calls with wrong arguments are left to the interpreter, which refuses them in its own words.
bool takes(PyObject* wrapper, Py_ssize_t count, PyObject* kwargs) {
  return count == (wrapper == object_setattr ? 2 : 1) && (!kwargs || PyDict_GET_SIZE(kwargs) == 0);
}

PyObject* slot_wrapper_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (is_redirected(self) && takes(self, count - 1, kwargs) && is_stm_object(PyTuple_GET_ITEM(args, 0))) {
    return call_barrier(self, PyTuple_GET_ITEM(args, 0), &PyTuple_GET_ITEM(args, 1));
  }
  return call_slot_wrapper(self, args, kwargs);
}

PyObject* method_wrapper_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  auto* bound = reinterpret_cast<MethodWrapper*>(self);
  if (is_redirected(bound->descriptor) && takes(bound->descriptor, PyTuple_GET_SIZE(args), kwargs) &&
      is_stm_object(bound->self)) {
    return call_barrier(bound->descriptor, bound->self, &PyTuple_GET_ITEM(args, 0));
  }
  return call_method_wrapper(self, args, kwargs);
}

}  // namespace

int redirect_object_wrappers() {
  object_getattribute = type_lookup(&PyBaseObject_Type, names::getattribute).release();
  object_setattr = type_lookup(&PyBaseObject_Type, names::setattr).release();
  object_delattr = type_lookup(&PyBaseObject_Type, names::delattr).release();
  Ref bound = Ref::steal(PyObject_GetAttr(Py_None, names::setattr));
  const bool known = bound && object_getattribute && Py_IS_TYPE(object_getattribute, &PyWrapperDescr_Type) &&
                     Py_IS_TYPE(object_setattr, &PyWrapperDescr_Type) &&
                     Py_IS_TYPE(object_delattr, &PyWrapperDescr_Type) &&
                     Py_TYPE(bound.get())->tp_basicsize == static_cast<Py_ssize_t>(sizeof(MethodWrapper)) &&
                     reinterpret_cast<MethodWrapper*>(bound.get())->descriptor == object_setattr &&
                     reinterpret_cast<MethodWrapper*>(bound.get())->self == Py_None;
  if (!known) {
    PyErr_SetString(PyExc_ImportError,
                    "stmpy cannot keep object.__setattr__ from bypassing transactions on this interpreter, "
                    "and a write must "
                    "never be lost; use CPython 3.11 to 3.15, without another extension that replaces "
                    "object.__setattr__");
    return -1;
  }
  call_slot_wrapper = PyWrapperDescr_Type.tp_call;
  call_method_wrapper = Py_TYPE(bound.get())->tp_call;
  PyWrapperDescr_Type.tp_call = slot_wrapper_call;
  Py_TYPE(bound.get())->tp_call = method_wrapper_call;
  return 0;
}

}  // namespace stmpy
