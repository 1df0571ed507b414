// Iterators of an STMList, which go by index as a list's do: what is appended meanwhile is met.

#include "runtime/python/collections/list.h"

namespace stmpy {
namespace {

struct Iterator {
  PyObject_HEAD PyObject* list;  // null: exhausted
  Py_ssize_t index;              // of the next element
};

Iterator* iterator_of(PyObject* self) { return reinterpret_cast<Iterator*>(self); }

template <int kStep>
PyTypeObject* iterator_type();

template <int kStep>
PyObject* next(PyObject* self) {
  Iterator* const iterator = iterator_of(self);
  const Ref list = Ref::borrow(iterator->list);
  if (!list) return nullptr;
  bool missing = iterator->index < 0;
  PyObject* const value = missing ? nullptr : element_at(list.get(), iterator->index, missing);
  if (value) {
    iterator->index += kStep;
  } else if (missing && iterator->list) {
    Py_CLEAR(iterator->list);
  }
  return value;
}

template <int kStep>
PyObject* length_hint(PyObject* self, PyObject*) {
  const Iterator* const iterator = iterator_of(self);
  const Ref list = Ref::borrow(iterator->list);
  Py_ssize_t left = 0;
  if (list) {
    const Py_ssize_t length = length_of(list.get());
    if (length < 0) return nullptr;
    left = kStep > 0 ? length - iterator->index : iterator->index + 1;
    if (kStep < 0 && left > length) left = 0;
  }
  return PyLong_FromSsize_t(left < 0 ? 0 : left);
}

template <int kStep>
PyObject* reduce(PyObject* self, PyObject*) {
  const Iterator* const iterator = iterator_of(self);
  const Ref builtins = Ref::steal(PyImport_ImportModule("builtins"));
  const char* const maker = kStep > 0 || !iterator->list ? "iter" : "reversed";
  const Ref make = builtins ? Ref::steal(PyObject_GetAttrString(builtins.get(), maker)) : Ref();
  if (!make) return nullptr;
  if (!iterator->list) return Py_BuildValue("O([])", make.get());
  return Py_BuildValue("O(O)n", make.get(), iterator->list, iterator->index);
}

template <int kStep>
PyObject* set_state(PyObject* self, PyObject* state) {
  Iterator* const iterator = iterator_of(self);
  Py_ssize_t index = PyLong_AsSsize_t(state);
  if (index == -1 && PyErr_Occurred()) return nullptr;
  const Ref list = Ref::borrow(iterator->list);
  if (list) {
    const Py_ssize_t length = length_of(list.get());
    if (length < 0) return nullptr;
    const Py_ssize_t least = kStep > 0 ? 0 : -1, most = kStep > 0 ? length : length - 1;
    iterator->index = index < least ? least : index > most ? most : index;
  }
  Py_RETURN_NONE;
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(iterator_of(self)->list);
  return 0;
}

int iterator_clear(PyObject* self) {
  Py_CLEAR(iterator_of(self)->list);
  return 0;
}

void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  iterator_clear(self);
  PyObject_GC_Del(self);
}

template <int kStep>
PyTypeObject make_type() {
  static PyMethodDef methods[] = {
      {"__length_hint__", length_hint<kStep>, METH_NOARGS,
       "Private method returning an estimate of len(list(it))."},
      {"__reduce__", reduce<kStep>, METH_NOARGS, "Helper for pickle."},
      {"__setstate__", set_state<kStep>, METH_O, "Helper for pickle."},
      {nullptr, nullptr, 0, nullptr},
  };
  PyTypeObject type =
      unready_type(kStep > 0 ? "stmpy._runtime.STMListIterator" : "stmpy._runtime.STMListReverseIterator");
  type.tp_basicsize = sizeof(Iterator);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type.tp_dealloc = iterator_dealloc;
  type.tp_traverse = iterator_traverse;
  type.tp_clear = iterator_clear;
  type.tp_iter = PyObject_SelfIter;
  type.tp_iternext = next<kStep>;
  type.tp_methods = methods;
  return type;
}

template <int kStep>
PyTypeObject* iterator_type() {
  static PyTypeObject type = make_type<kStep>();
  return &type;
}

}  // namespace

PyObject* iterate_list(PyObject* self, bool backwards) {
  const Py_ssize_t length = backwards ? length_of(self) : 0;
  if (length < 0) return nullptr;
  auto* const iterator = PyObject_GC_New(Iterator, backwards ? iterator_type<-1>() : iterator_type<1>());
  if (!iterator) return nullptr;
  iterator->list = Py_NewRef(self);
  iterator->index = backwards ? length - 1 : 0;
  PyObject_GC_Track(reinterpret_cast<PyObject*>(iterator));
  return reinterpret_cast<PyObject*>(iterator);
}

int ready_list_iterators() {
  return PyType_Ready(iterator_type<1>()) < 0 || PyType_Ready(iterator_type<-1>()) < 0 ? -1 : 0;
}

}  // namespace stmpy
