#include "runtime/python/consumable.h"

#include "runtime/python/errors.h"

namespace stmpy {
namespace {

constexpr std::int64_t kFinished = -1, kUnknown = -2;

// Iterators of the interpreter's: classes of the user's may have state of their own that says more than we can know.
bool is_own_iterator(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  return type->tp_iternext && type->tp_iter == PyObject_SelfIter && !(type->tp_flags & Py_TPFLAGS_HEAPTYPE);
}

// A number that changes with every item taken.
std::int64_t position_of(PyObject* iterator) {
  if (PyGen_CheckExact(iterator)) {
    Ref frame = Ref::steal(PyObject_GetAttrString(iterator, "gi_frame"));
    if (frame && frame.get() == Py_None) return kFinished;
    Ref last = frame ? Ref::steal(PyObject_GetAttrString(frame.get(), "f_lasti")) : Ref();
    const long position = last ? PyLong_AsLong(last.get()) : -1;
    if (PyErr_Occurred()) PyErr_Clear();
    return position + 2;
  }
  const Py_ssize_t left = PyObject_LengthHint(iterator, -1);
  if (PyErr_Occurred()) PyErr_Clear();
  return left < 0 ? kUnknown : left;
}

}  // namespace

ConsumableArguments::ConsumableArguments(PyObject* const* arguments, Py_ssize_t count) {
  for (Py_ssize_t index = 0; index < count; ++index) {
    if (is_own_iterator(arguments[index])) {
      consumables_.push_back({arguments[index], index, position_of(arguments[index])});
    }
  }
}

bool ConsumableArguments::can_run_again(PyObject* function_name) const {
  for (const Consumable& consumable : consumables_) {
    const std::int64_t now = position_of(consumable.iterator);
    if (now == consumable.position && now != kUnknown) continue;
    PyErr_Format(errors::usage_error,
                 "%U was aborted and cannot be run again: its argument %zd, a %.100s, is consumed; pass a list or a tuple, or "
                 "make the iterator inside of the function",
                 function_name, consumable.index + 1, Py_TYPE(consumable.iterator)->tp_name);
    return false;
  }
  return true;
}

}  // namespace stmpy
