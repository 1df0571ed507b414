#include "runtime/python/class_watch.h"

#include <cstring>

#include "runtime/python/payload.h"

namespace stmpy {

#if PY_VERSION_HEX >= 0x030c0000

// The interpreter's own watchers. They are called with the version of the class still valid.
namespace {

int class_modified(PyTypeObject* type) {
  class_changes(type);
  return 0;
}

}  // namespace

bool watch_class(PyTypeObject* type) {
  static const int watcher = PyType_AddWatcher(class_modified);  // at most 8: there may be none left
  return watcher >= 0 && PyType_Watch(watcher, reinterpret_cast<PyObject*>(type)) == 0;
}

#else

// Python 3.11 has no watchers. Every change of a class goes through the tp_setattro of its metaclass, which
// is `type`'s: ours takes its place, in `type`, in the metaclasses that have inherited it, and in the two
// wrappers `type.__setattr__` and `type.__delattr__` (which refuse to run for a metaclass that has another
// one than theirs).
namespace {

setattrofunc original = nullptr;

int set_class_attribute(PyObject* type, PyObject* name, PyObject* value) {
  for (PyTypeObject* each : classes_with_layout()) {
    if (PyType_IsSubtype(each, reinterpret_cast<PyTypeObject*>(type))) class_changes(each);
  }
  return original(type, name, value);
}

bool redirect_wrapper(const char* name) {
  PyObject* wrapper = PyDict_GetItemString(PyType_Type.tp_dict, name);
  if (!wrapper || std::strcmp(Py_TYPE(wrapper)->tp_name, "wrapper_descriptor") != 0) return false;
  reinterpret_cast<PyWrapperDescrObject*>(wrapper)->d_wrapped = reinterpret_cast<void*>(set_class_attribute);
  return true;
}

bool redirect(PyTypeObject* metaclass) {
  if (metaclass->tp_setattro == original) metaclass->tp_setattro = set_class_attribute;
  Ref derived = Ref::steal(
      PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyType_Type), "__subclasses__", "O", metaclass));
  if (!derived) return false;
  for (Py_ssize_t index = 0; index < PyList_GET_SIZE(derived.get()); ++index) {
    if (!redirect(reinterpret_cast<PyTypeObject*>(PyList_GET_ITEM(derived.get(), index)))) return false;
  }
  return true;
}

bool redirect_all() {
  original = PyType_Type.tp_setattro;
  return redirect_wrapper("__setattr__") && redirect_wrapper("__delattr__") && redirect(&PyType_Type);
}

}  // namespace

bool watch_class(PyTypeObject*) {
  static const bool redirected = redirect_all();
  return redirected;
}

#endif

}  // namespace stmpy
