#include "runtime/python/consumable.h"

#include <cstring>

#include "runtime/python/errors.h"

namespace stmpy {
namespace {

constexpr std::int64_t kFinished = -1, kUnknown = -2, kNotStarted = -3;

// Iterators of the interpreter's: classes of the user's may have state of their own that says more than we
// can know. From 3.12 on itertools' are heap types too.
bool is_builtin_iterator(PyObject* iterator) {
  const PyTypeObject* type = Py_TYPE(iterator);
  return !(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || std::strncmp(type->tp_name, "itertools.", 10) == 0;
}

// A number that changes with every item taken; kUnknown where there is none.
std::int64_t position_of(PyObject* iterator) {
  if (PyGen_CheckExact(iterator)) {
    // One that has started may yield in a loop: nothing says how often.
    Ref suspended = Ref::steal(PyObject_GetAttrString(iterator, "gi_suspended"));
    Ref running = Ref::steal(PyObject_GetAttrString(iterator, "gi_running"));
    Ref frame = Ref::steal(PyObject_GetAttrString(iterator, "gi_frame"));
    if (PyErr_Occurred()) PyErr_Clear();
    if (frame.get() == Py_None) return kFinished;
    return suspended.get() == Py_False && running.get() == Py_False ? kNotStarted : kUnknown;
  }
  const Py_ssize_t left = PyObject_LengthHint(iterator, -1);
  if (PyErr_Occurred()) PyErr_Clear();
  return left < 0 ? kUnknown : left;
}

}  // namespace

void ConsumableArguments::remember(PyObject* iterator, Py_ssize_t index) {
  if (is_builtin_iterator(iterator)) consumables_.push_back({iterator, index, position_of(iterator)});
}

bool ConsumableArguments::can_run_again(PyObject* function_name) const {
  for (const Consumable& consumable : consumables_) {
    const std::int64_t now = position_of(consumable.iterator);
    if (now == consumable.position && now != kUnknown) continue;
    PyErr_Format(errors::usage_error,
                 "%U has to run again and cannot: its argument %zd, a %.100s, is or may be consumed; "
                 "pass a list or a tuple, or "
                 "make the iterator inside of the function",
                 function_name, consumable.index + 1, Py_TYPE(consumable.iterator)->tp_name);
    return false;
  }
  return true;
}

}  // namespace stmpy
