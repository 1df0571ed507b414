// The operators of STMList that take or make whole lists.

#include <vector>

#include "runtime/python/collections/list.h"

namespace stmpy {

Ref items_from(PyObject* iterable) {
  if (PyList_CheckExact(iterable) || PyTuple_CheckExact(iterable))
    return Ref::steal(PySequence_List(iterable));
  const Ref iterator = Ref::steal(PyObject_GetIter(iterable));
  Ref items = iterator ? Ref::steal(PyList_New(0)) : Ref();
  while (items) {  // whatever the iterable says of its length
    const Ref item = Ref::steal(PyIter_Next(iterator.get()));
    if (!item && !PyErr_Occurred()) break;
    if (!item || PyList_Append(items.get(), item.get()) < 0) items = Ref();
  }
  return items;
}

bool items_of_both(PyObject* left, PyObject* right, Ref& lefts, Ref& rights) {
  const auto look = [&] {
    lefts = is_list(left) ? items_of(left) : Ref::borrow(left);
    rights = !lefts ? Ref() : is_list(right) ? items_of(right) : Ref::borrow(right);
    return static_cast<bool>(rights);
  };
  return together(look, is_list(left) && is_list(right));
}

PyObject* concat_lists(PyObject* left, PyObject* right) {
  Ref items, more;
  const bool done = items_of_both(left, right, items, more);
  const Ref all = done ? Ref::steal(PySequence_Concat(items.get(), more.get())) : Ref();
  return all ? new_list(items_in(all), count_of(all)) : nullptr;
}

PyObject* repeat_list(PyObject* self, Py_ssize_t times) {
  const Ref items = items_of(self);
  const Ref all = items ? Ref::steal(PySequence_Repeat(items.get(), times)) : Ref();
  return all ? new_list(items_in(all), count_of(all)) : nullptr;
}

PyObject* extend_in_place(PyObject* self, PyObject* iterable) {
  const bool is_ours = is_plain_list(iterable);
  Ref items = is_ours ? Ref() : items_from(iterable);
  if (!is_ours && !items) return nullptr;
  const bool done = change_list(self, [&](Thread& thread) {
    std::size_t length;
    if (const Done owned = own_length(thread, self, length); owned != Done::Yes) return owned;
    if (is_ours) {
      if (const Done read = collect(thread, iterable, kAll, items); read != Done::Yes) return read;
    }
    return splice(thread, self, length, length, length, items_in(items), count_of(items));
  });
  return done ? Py_NewRef(self) : nullptr;
}

PyObject* repeat_in_place(PyObject* self, Py_ssize_t times) {
  const bool done = change_list(self, [&](Thread& thread) {
    std::size_t length;
    if (const Done owned = own_length(thread, self, length); owned != Done::Yes) return owned;
    if (times <= 0) return splice(thread, self, length, 0, length, nullptr, 0);
    Ref items;
    if (const Done read = collect(thread, self, kAll, items); read != Done::Yes) return read;
    const Ref more = Ref::steal(PySequence_Repeat(items.get(), times - 1));
    return more ? splice(thread, self, length, length, length, items_in(more), count_of(more)) : Done::Failed;
  });
  return done ? Py_NewRef(self) : nullptr;
}

}  // namespace stmpy
