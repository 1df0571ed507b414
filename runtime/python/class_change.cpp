#include "runtime/python/class_change.h"

#include "runtime/python/invariants.h"
#include "runtime/python/object.h"
#include "runtime/python/payload.h"

namespace stmpy {
namespace {

// object.__class__: its setter checks that the layouts are compatible, and knows how to change a type while
// others run.
PyObject* original() {
  static PyObject* const descriptor = type_lookup(&PyBaseObject_Type, names::class_).release();
  return descriptor;
}

int assign_class(PyObject* object, PyObject* type) {
  return Py_TYPE(original())->tp_descr_set(original(), object, type);
}

// Back to a class that the object had, so the check passes. The log's reference to it goes with this entry.
void* restore_class(void* object, void* old_class) {
  PyObject* replaced = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(static_cast<PyObject*>(object))));
  if (assign_class(static_cast<PyObject*>(object), static_cast<PyObject*>(old_class)) < 0) {
    PyErr_WriteUnraisable(static_cast<PyObject*>(object));
  }
  Py_DECREF(static_cast<PyObject*>(old_class));  // the object has its own reference again
  return replaced;
}
constexpr core::Change kClassChange{restore_class};

}  // namespace

PyObject* get_class(PyObject* self, void*) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  Done done;
  do done = read_structure(*thread, self);
  while (done == Done::Again);
  return done == Done::Yes ? Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(self))) : nullptr;
}

// The payload stays as it is: which attributes it has places for was settled when the object was made.
int set_class(PyObject* self, PyObject* value, void*) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "can't delete __class__ attribute");
    return -1;
  }
  if (!PyType_Check(value) || !is_stm_type(reinterpret_cast<PyTypeObject*>(value))) {
    PyErr_Format(PyExc_TypeError, "__class__ of an STMObject must be set to a subclass of STMObject, not %R",
                 value);
    return -1;
  }
  const Layout* layout =
      layout_of(reinterpret_cast<PyTypeObject*>(value));  // the class's slots become transactional
  if (!layout) return -1;
  if (layout->has_dict != shell_of(self)->payload->layout->has_dict) {  // which the interpreter cannot tell
    PyErr_Format(PyExc_TypeError, "__class__ assignment: '%.100s' object layout differs from '%.100s'",
                 reinterpret_cast<PyTypeObject*>(value)->tp_name, Py_TYPE(self)->tp_name);
    return -1;
  }
  const auto change = [&] {
    const Done owned = own_structure(*thread, self);
    if (owned != Done::Yes) return owned;
    if (!reserve_entry(*thread)) return Done::Failed;
    Ref old_class = Ref::borrow(reinterpret_cast<PyObject*>(Py_TYPE(self)));
    if (assign_class(self, value) < 0) return Done::Failed;
    forward_if_held(shell_of(self));
    core::log_change(thread->descriptor, shell_of(self)->structure, self, kClassChange, old_class.release(),
                     false);
    return Done::Yes;
  };
  // What the new class says of its objects is checked.
  return in_writing_transaction(*thread, self, reinterpret_cast<PyTypeObject*>(value), change) ? 0 : -1;
}

}  // namespace stmpy
