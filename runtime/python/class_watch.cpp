#include "runtime/python/class_watch.h"

#include <cstring>

#include "runtime/python/guarded.h"
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

// The descriptor of type's with that name. Null where it is not the interpreter's.
PyWrapperDescrObject* wrapper_named(const char* name) {
  PyObject* wrapper = PyDict_GetItemString(PyType_Type.tp_dict, name);
  const bool is_own = wrapper && std::strcmp(Py_TYPE(wrapper)->tp_name, "wrapper_descriptor") == 0;
  return is_own ? reinterpret_cast<PyWrapperDescrObject*>(wrapper) : nullptr;
}

// The metaclass and all that derive from it.
bool collect(PyObject* metaclass, PyObject* metaclasses) {
  if (PyList_Append(metaclasses, metaclass) < 0) return false;
  const Ref derived = Ref::steal(
      PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyType_Type), "__subclasses__", "O", metaclass));
  if (!derived) return false;
  for (Py_ssize_t index = 0; index < PyList_GET_SIZE(derived.get()); ++index) {
    if (!collect(PyList_GET_ITEM(derived.get(), index), metaclasses)) return false;
  }
  return true;
}

// All or nothing: a metaclass that was left out could set no attribute any more.
bool redirect_all() {
  const Ref metaclasses = Ref::steal(PyList_New(0));
  if (!metaclasses || !collect(reinterpret_cast<PyObject*>(&PyType_Type), metaclasses.get())) return false;
  PyWrapperDescrObject* const wrappers[] = {wrapper_named("__setattr__"), wrapper_named("__delattr__")};
  if (!wrappers[0] || !wrappers[1]) return false;
  original = PyType_Type.tp_setattro;
  for (PyWrapperDescrObject* wrapper : wrappers)
    wrapper->d_wrapped = reinterpret_cast<void*>(guarded<set_class_attribute>);
  for (Py_ssize_t index = 0; index < PyList_GET_SIZE(metaclasses.get()); ++index) {
    auto* const metaclass = reinterpret_cast<PyTypeObject*>(PyList_GET_ITEM(metaclasses.get(), index));
    if (metaclass->tp_setattro == original) metaclass->tp_setattro = guarded<set_class_attribute>;
  }
  return true;
}

}  // namespace

bool watch_class(PyTypeObject*) {
  static bool redirected = false;
  if (!redirected) redirected = redirect_all();
  return redirected;
}

#endif

}  // namespace stmpy
