// STMList: a list whose elements are transactional one by one.
//
// Each element is a cell of its own, and so is the length. Cells stay where they are (cell_array.h): a list
// that grows uses more of them, one whose elements move writes to those that get another value, and there is
// nothing else that everybody would have to read. A cell without a value is beyond the end, so reading l[i]
// says whether there is an i-th element without a look at the length, and conflicts with the append that
// makes it.
//
// What can wait comes first, in all that changes a list: it owns the cells it is going to change, and starts
// over where it had to wait for one (a signal handler may have changed the list in the same transaction).
// Then it changes them, which cannot fail and runs no code of the user's.
#pragma once

#include "runtime/python/collections/cell_array.h"
#include "runtime/python/collections/collection.h"

namespace stmpy {

struct List {
  Shell shell;
  Cell length;  // a Python integer; none is 0
  CellArray cells;
};

extern PyTypeObject* const list_type;
inline List* list_of(PyObject* self) { return reinterpret_cast<List*>(self); }
inline bool is_list(PyObject* object) { return PyObject_TypeCheck(object, list_type); }

// What a slice or an index selects of a list of some length.
struct Selection {
  Py_ssize_t start, stop, step;
  Py_ssize_t adjust(std::size_t length) {
    return PySlice_AdjustIndices(static_cast<Py_ssize_t>(length), &start, &stop, step);
  }
  // Of the element selected as number `turn`. A step may be so large that there is no index behind the last.
  std::size_t index_of(Py_ssize_t turn) const { return static_cast<std::size_t>(start + turn * step); }
};
inline constexpr Selection kAll{0, PY_SSIZE_T_MAX, 1};

// --- In a transaction.

Done read_length(Thread& thread, PyObject* self, std::size_t& length);
Done own_length(Thread& thread, PyObject* self, std::size_t& length);
// Null: beyond one of the ends. A negative index counts from the end.
Done read_element(Thread& thread, PyObject* self, Py_ssize_t index, PyObject*& value);
// `missing`: there is no such element.
Done write_element(Thread& thread, PyObject* self, Py_ssize_t index, PyObject* value, bool& missing);
// Takes elements [start, stop) of a list of that length out, and puts others in their place.
Done splice(Thread& thread, PyObject* self, std::size_t length, std::size_t start, std::size_t stop,
            PyObject* const* items, std::size_t count);
// Gives the elements that a selection (adjusted, `count` of them) names other values, or (null) takes them
// out.
Done replace_selected(Thread& thread, PyObject* self, std::size_t length, const Selection& selection,
                      std::size_t count, PyObject* const* items);
// A list of Python's of the elements selected.
Done collect(Thread& thread, PyObject* self, Selection selection, Ref& items);

// --- In and outside of transactions. Null with an exception; outside all elements are of one moment.

PyObject* element_at(PyObject* self, Py_ssize_t index, bool& missing);
Ref items_of(PyObject* self, const Selection& selection = kAll);
Py_ssize_t length_of(PyObject* self);
// Runs a change of the list (of Thread&, returns Done) in the transaction, or as one.
template <class Change>
bool change_list(PyObject* self, Change change) {
  Thread* const thread = this_thread();
  return thread && in_writing_transaction(*thread, self, [&] { return change(*thread); });
}

// A new STMList. Null with an exception.
PyObject* new_list(PyObject* const* items, std::size_t count);
// While nobody else knows the list, and it is empty. False with MemoryError.
bool fill_new(PyObject* self, PyObject* const* items, std::size_t count);

extern PyMethodDef list_methods[];
PyObject* concat_lists(PyObject* self, PyObject* other);
PyObject* repeat_list(PyObject* self, Py_ssize_t times);
PyObject* extend_in_place(PyObject* self, PyObject* iterable);
PyObject* repeat_in_place(PyObject* self, Py_ssize_t times);
// What a list of Python's holds that nobody else knows.
inline PyObject* const* items_in(const Ref& items) { return PySequence_Fast_ITEMS(items.get()); }
inline std::size_t count_of(const Ref& items) {
  return static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items.get()));
}
// Iterates as STMList does, so that its elements can be asked for as a whole.
inline bool is_plain_list(PyObject* object) {
  return is_list(object) && Py_TYPE(object)->tp_iter == list_type->tp_iter;
}
// The items of any iterable that is none of ours, in a new list of Python's. Null with an exception.
Ref items_from(PyObject* iterable);
// Those of two lists, ours or Python's, of one moment. False with an exception.
bool items_of_both(PyObject* left, PyObject* right, Ref& lefts, Ref& rights);

PyObject* get_subscript(PyObject* self, PyObject* key);
int set_subscript(PyObject* self, PyObject* key, PyObject* value);  // null: delete

PyObject* iterate_list(PyObject* self, bool backwards);
int ready_list_iterators();

int add_list(PyObject* module);

}  // namespace stmpy
