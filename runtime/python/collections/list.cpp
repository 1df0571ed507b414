// The type of STMList: its operators, its life and death.

#include "runtime/python/collections/list.h"

#include <new>

namespace stmpy {
namespace {

PyObject* raise_index_error(const char* message) {
  PyErr_SetString(PyExc_IndexError, message);
  return nullptr;
}

// --- elements

PyObject* get_item(PyObject* self, Py_ssize_t index) {
  bool missing;
  PyObject* const value = element_at(self, index, missing);
  return missing ? raise_index_error("list index out of range") : value;
}

int set_item(PyObject* self, Py_ssize_t index, PyObject* value) {
  Thread* const thread = this_thread();
  if (!thread) return -1;
  if (value && index >= 0 && !thread->in_transaction() && !has_invariants(*thread, Py_TYPE(self))) {
    Cell* const cell = list_of(self)->cells.find(static_cast<std::size_t>(index));
    if (cell && write_if_free(*thread, *cell, value)) return 0;
  }
  bool missing = true;
  const bool done = change_list(self, [&](Thread& in) {
    if (value) return write_element(in, self, index, value, missing);
    std::size_t length;
    const Done owned = own_length(in, self, length);
    if (owned != Done::Yes) return owned;
    const Py_ssize_t at = index < 0 ? index + static_cast<Py_ssize_t>(length) : index;
    missing = at < 0 || static_cast<std::size_t>(at) >= length;
    if (missing) return Done::Yes;
    return splice(in, self, length, static_cast<std::size_t>(at), static_cast<std::size_t>(at) + 1, nullptr,
                  0);
  });
  if (done && missing) raise_index_error("list assignment index out of range");
  return done && !missing ? 0 : -1;
}

// As sequence slots get an index: what was negative has been counted from the end already.
PyObject* get_counted(PyObject* self, Py_ssize_t index) {
  return index < 0 ? raise_index_error("list index out of range") : get_item(self, index);
}

int set_counted(PyObject* self, Py_ssize_t index, PyObject* value) {
  if (index >= 0) return set_item(self, index, value);
  raise_index_error("list assignment index out of range");
  return -1;
}

int assign_slice(PyObject* self, Selection selection, PyObject* value) {
  const bool is_extended = selection.step != 1;
  const bool is_ours = value && is_plain_list(value);
  Ref items;
  if (value && !is_ours) {
    items = items_from(value);
    if (!items) {
      if (PyErr_ExceptionMatches(PyExc_TypeError) && !Py_TYPE(value)->tp_iter && !PySequence_Check(value))
        PyErr_SetString(PyExc_TypeError, is_extended ? "must assign iterable to extended slice"
                                                     : "can only assign an iterable");
      return -1;
    }
  }
  const bool done = change_list(self, [&](Thread& thread) {
    if (is_ours) {
      if (const Done read = collect(thread, value, kAll, items); read != Done::Yes) return read;
    }
    const std::size_t given = value ? count_of(items) : 0;
    std::size_t length;
    const Done owned =
        is_extended && value ? read_length(thread, self, length) : own_length(thread, self, length);
    if (owned != Done::Yes) return owned;
    Selection adjusted = selection;
    const auto count = static_cast<std::size_t>(adjusted.adjust(length));
    const auto start = static_cast<std::size_t>(adjusted.start);
    if (!is_extended)
      return splice(thread, self, length, start, start + count, value ? items_in(items) : nullptr, given);
    if (!value) return replace_selected(thread, self, length, adjusted, count, nullptr);
    if (given == count) return replace_selected(thread, self, length, adjusted, count, items_in(items));
    PyErr_Format(PyExc_ValueError, "attempt to assign sequence of size %zu to extended slice of size %zu",
                 given, count);
    return Done::Failed;
  });
  return done ? 0 : -1;
}

bool to_selection(PyObject* key, Selection& selection) {
  return PySlice_Unpack(key, &selection.start, &selection.stop, &selection.step) == 0;
}

bool is_index(PyObject* key, Py_ssize_t& index) {
  if (!PyIndex_Check(key)) {
    PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
                 Py_TYPE(key)->tp_name);
    return false;
  }
  index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  return index != -1 || !PyErr_Occurred();
}

int contains(PyObject* self, PyObject* value) {
  Thread* const thread = this_thread();
  if (!thread) return -1;
  if (!thread->in_transaction()) {
    const Ref items = items_of(self);
    return items ? PySequence_Contains(items.get(), value) : -1;
  }
  for (Py_ssize_t index = 0;; ++index) {
    bool missing;
    const Ref element = Ref::steal(element_at(self, index, missing));
    if (!element) return missing ? 0 : -1;
    if (const int equal = PyObject_RichCompareBool(element.get(), value, Py_EQ)) return equal;
  }
}

// --- the whole list

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if (!is_list(self) || !(is_list(other) || PyList_Check(other))) Py_RETURN_NOTIMPLEMENTED;
  Ref left, right;
  return items_of_both(self, other, left, right) ? PyObject_RichCompare(left.get(), right.get(), operation)
                                                 : nullptr;
}

PyObject* list_repr(PyObject* self) {
  const int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("[...]") : nullptr;
  const Ref items = items_of(self);
  const Ref name = items ? Ref::steal(PyType_GetName(Py_TYPE(self))) : Ref();
  PyObject* const text = name ? PyUnicode_FromFormat("%U(%R)", name.get(), items.get()) : nullptr;
  Py_ReprLeave(self);
  return text;
}

PyObject* add(PyObject* left, PyObject* right) {
  if (!(is_list(left) || PyList_Check(left)) || !(is_list(right) || PyList_Check(right)))
    Py_RETURN_NOTIMPLEMENTED;
  return concat_lists(left, right);
}

PyObject* concat(PyObject* self, PyObject* other) {
  if (is_list(other) || PyList_Check(other)) return concat_lists(self, other);
  PyErr_Format(PyExc_TypeError, "can only concatenate list (not \"%.200s\") to list",
               Py_TYPE(other)->tp_name);
  return nullptr;
}

PyObject* iterate(PyObject* self) { return iterate_list(self, false); }

// --- life and death

PyObject* list_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const self = new_object(type);
  if (!self) return nullptr;
  new (&list_of(self)->length) Cell;
  new (&list_of(self)->cells) CellArray;
  list_of(self)->length.value.store(PyLong_FromLong(0));
  return self;
}

int list_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* iterable = nullptr;
  if (kwargs && PyDict_GET_SIZE(kwargs) > 0 && Py_TYPE(self)->tp_new == list_new) {
    PyErr_SetString(PyExc_TypeError, "STMList() takes no keyword arguments");
    return -1;
  }
  if (!PyArg_UnpackTuple(args, "STMList", 0, 1, &iterable)) return -1;
  const Ref items = iterable ? items_from(iterable) : Ref::steal(PyList_New(0));
  if (!items) return -1;
  // Just made, and nobody else knows it.
  if (!may_be_held(self) && PyObject_IsTrue(list_of(self)->length.peek()) == 0)
    return fill_new(self, items_in(items), count_of(items)) ? end_init(self) : -1;
  const bool done = change_list(self, [&](Thread& thread) {
    std::size_t length;
    const Done owned = own_length(thread, self, length);
    return owned == Done::Yes ? splice(thread, self, length, 0, length, items_in(items), count_of(items))
                              : owned;
  });
  return done ? end_init(self) : -1;
}

int list_traverse(PyObject* self, visitproc visit, void* arg) {
  const int stop = list_of(self)->cells.for_each([&](Cell& cell) {
    Py_VISIT(cell.peek());
    return 0;
  });
  return stop != 0 ? stop : stm_object_type->tp_traverse(self, visit, arg);
}

void clear_own(PyObject* self) {
  Py_XDECREF(static_cast<PyObject*>(list_of(self)->length.value.exchange(nullptr)));
  list_of(self)->cells.clear();
}
void free_own(PyObject* self) { list_of(self)->cells.free(); }

int list_clear(PyObject* self) {
  clear_own(self);
  return stm_object_type->tp_clear(self);
}

Ref name_of(PyObject* self, const core::Record* record) {
  if (record == &list_of(self)->length.record) return Ref::steal(PyUnicode_FromString("len"));
  std::size_t index;
  return list_of(self)->cells.index_of(record, index) ? Ref::steal(PyUnicode_FromFormat("[%zu]", index))
                                                      : Ref();
}

PyNumberMethods make_number_methods() {
  PyNumberMethods number = {};
  number.nb_add = add;
  number.nb_inplace_add = extend_in_place;
  return number;
}
PyNumberMethods number_methods = make_number_methods();

PySequenceMethods make_sequence_methods() {
  PySequenceMethods sequence = {};
  sequence.sq_length = length_of;
  sequence.sq_item = get_counted;
  sequence.sq_ass_item = set_counted;
  sequence.sq_contains = contains;
  sequence.sq_concat = concat;
  sequence.sq_repeat = repeat_list;
  sequence.sq_inplace_concat = extend_in_place;
  sequence.sq_inplace_repeat = repeat_in_place;
  return sequence;
}
PySequenceMethods sequence_methods = make_sequence_methods();

PyMappingMethods mapping_methods = {length_of, get_subscript, set_subscript};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.STMList");
  type.tp_doc =
      "STMList(iterable=(), /)\n--\n\n"
      "A list whose elements are transactional one by one: transactions that use different elements, or one "
      "that "
      "appends and those that use elements there are, do not conflict. What changes the places of elements "
      "writes to "
      "all of these places. Outside of transactions each operation is one of its own.\n\n"
      "It has all that a list has; slices, +, * and copy() give an STMList.";
  type.tp_basicsize = sizeof(List);
  type.tp_flags = kCollectionFlags | Py_TPFLAGS_SEQUENCE;
  type.tp_new = list_new;
  type.tp_init = list_init;
  type.tp_dealloc = dealloc_collection<clear_own, free_own>;
  type.tp_traverse = list_traverse;
  type.tp_clear = list_clear;
  type.tp_repr = list_repr;
  type.tp_richcompare = compare;
  type.tp_hash = PyObject_HashNotImplemented;
  type.tp_iter = iterate;
  type.tp_as_number = &number_methods;
  type.tp_as_sequence = &sequence_methods;
  type.tp_as_mapping = &mapping_methods;
  type.tp_methods = list_methods;
  return type;
}
PyTypeObject the_type;

}  // namespace

PyTypeObject* const list_type = &the_type;

PyObject* get_subscript(PyObject* self, PyObject* key) {
  if (PySlice_Check(key)) {
    Selection selection;
    const Ref items = to_selection(key, selection) ? items_of(self, selection) : Ref();
    return items ? new_list(items_in(items), count_of(items)) : nullptr;
  }
  Py_ssize_t index;
  return is_index(key, index) ? get_item(self, index) : nullptr;
}

int set_subscript(PyObject* self, PyObject* key, PyObject* value) {
  if (PySlice_Check(key)) {
    Selection selection;
    return to_selection(key, selection) ? assign_slice(self, selection, value) : -1;
  }
  Py_ssize_t index;
  return is_index(key, index) ? set_item(self, index, value) : -1;
}

PyObject* new_list(PyObject* const* items, std::size_t count) {
  Ref made = Ref::steal(list_new(list_type, nullptr, nullptr));
  return made && fill_new(made.get(), items, count) ? made.release() : nullptr;
}

int add_list(PyObject* module) {
  the_type = make_type();
  return ready_list_iterators() < 0 ? -1 : add_collection(module, {list_type, name_of}, "MutableSequence");
}

}  // namespace stmpy
