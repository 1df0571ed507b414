#include "runtime/python/collections/dict.h"

namespace stmpy {
namespace {

bool add_pair(PyObject* key, PyObject* value, std::vector<Pair>& pairs) {
  const Py_hash_t hash = PyObject_Hash(key);
  if (hash == -1) return false;
  pairs.push_back({Ref::borrow(key), hash, Ref::borrow(value)});
  return true;
}

bool add_all_of_dict(PyObject* dict, std::vector<Pair>& pairs) {
  // A copy: __hash__ of a key may change the dict.
  const Ref copy = Ref::steal(PyDict_Copy(dict));
  PyObject *key, *value;
  for (Py_ssize_t position = 0; copy && PyDict_Next(copy.get(), &position, &key, &value);) {
    if (!add_pair(key, value, pairs)) return false;
  }
  return static_cast<bool>(copy);
}

bool add_all_of_mapping(PyObject* mapping, PyObject* keys, std::vector<Pair>& pairs) {
  const Ref iterator = Ref::steal(PyObject_GetIter(keys));
  if (!iterator) return false;
  while (const Ref key = Ref::steal(PyIter_Next(iterator.get()))) {
    const Ref value = Ref::steal(PyObject_GetItem(mapping, key.get()));
    if (!value || !add_pair(key.get(), value.get(), pairs)) return false;
  }
  return !PyErr_Occurred();
}

bool add_all_of_pairs(PyObject* iterable, std::vector<Pair>& pairs) {
  const Ref iterator = Ref::steal(PyObject_GetIter(iterable));
  if (!iterator) return false;
  for (Py_ssize_t index = 0;; ++index) {
    const Ref element = Ref::steal(PyIter_Next(iterator.get()));
    if (!element) return !PyErr_Occurred();
    const Ref pair = Ref::steal(PySequence_Fast(element.get(), ""));
    if (!pair) {
      if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Format(PyExc_TypeError, "cannot convert dictionary update sequence element #%zd to a sequence",
                     index);
      }
      return false;
    }
    const Py_ssize_t length = PySequence_Fast_GET_SIZE(pair.get());
    if (length != 2) {
      PyErr_Format(PyExc_ValueError, "dictionary update sequence element #%zd has length %zd; 2 is required",
                   index, length);
      return false;
    }
    const Ref key = Ref::borrow(PySequence_Fast_GET_ITEM(pair.get(), 0));
    const Ref value = Ref::borrow(PySequence_Fast_GET_ITEM(pair.get(), 1));
    if (!add_pair(key.get(), value.get(), pairs)) return false;
  }
}

bool add_all_of(PyObject* other, std::vector<Pair>& pairs) {
  if (PyDict_CheckExact(other)) return add_all_of_dict(other, pairs);
  const Ref method = Ref::steal(PyObject_GetAttrString(other, "keys"));
  if (!method) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
    PyErr_Clear();
    return add_all_of_pairs(other, pairs);
  }
  const Ref keys = Ref::steal(PyObject_CallNoArgs(method.get()));
  return keys && add_all_of_mapping(other, keys.get(), pairs);
}

// In a transaction.
Done put_all(Thread& thread, PyObject* self, const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) {
    Ref present;
    const Done done = until_done([&] {
      return put(thread, self, {pair.key.get(), pair.hash}, pair.value.get(), false, present);
    });
    if (done != Done::Yes) return done;
  }
  return Done::Yes;
}

}  // namespace

bool collect_pairs_of_ours(PyObject* dict, std::vector<Pair>& pairs) {
  std::vector<Item> items;
  if (!items_of(dict, items)) return false;
  for (Item& item : items)
    pairs.push_back(
        {std::move(item.key), item.entry->hash.load(std::memory_order_relaxed), std::move(item.value)});
  return true;
}

bool PairSource::take(PyObject* other) {
  // As dict does: one that iterates as ours does is asked as a whole.
  if (!is_stm_dict(other) || Py_TYPE(other)->tp_iter != stm_dict_type->tp_iter)
    return add_all_of(other, others_);
  ours_ = other;
  return true;
}

bool PairSource::take_arguments(const char* name, PyObject* args, PyObject* kwargs) {
  PyObject* other = nullptr;
  if (!PyArg_UnpackTuple(args, name, 0, 1, &other)) return false;
  if (other && !take(other)) return false;
  if (!kwargs) return true;
  return PyArg_ValidateKeywordArguments(kwargs) && add_all_of_dict(kwargs, others_);
}

bool PairSource::now(std::vector<Pair>& pairs) const {
  if (ours_ && !collect_pairs_of_ours(ours_, pairs)) return false;
  for (const Pair& pair : others_)
    pairs.push_back({Ref::borrow(pair.key.get()), pair.hash, Ref::borrow(pair.value.get())});
  return true;
}

bool set_pairs(PyObject* self, const std::vector<Pair>& pairs) {
  Thread* const thread = this_thread();
  return thread && in_writing_transaction(*thread, self, [&] { return put_all(*thread, self, pairs); });
}

bool PairSource::set_in(PyObject* self) const {
  Thread* const thread = this_thread();
  return thread && in_writing_transaction(*thread, self, [&] {
           std::vector<Pair> ours;
           if (ours_ && !collect_pairs_of_ours(ours_, ours)) return Done::Failed;
           const Done done = put_all(*thread, self, ours);
           return done == Done::Yes ? put_all(*thread, self, others_) : done;
         });
}

}  // namespace stmpy
