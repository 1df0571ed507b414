#include "runtime/python/collections/dict.h"
#include "runtime/python/collections/dict_views.h"
#include "runtime/python/collections/keyed_methods.h"

namespace stmpy {
namespace {

bool check_at_most_two(const char* name, Py_ssize_t count) {
  if (count == 1 || count == 2) return true;
  PyErr_Format(PyExc_TypeError, "%s expected %s, got %zd", name,
               count < 1 ? "at least 1 argument" : "at most 2 arguments", count);
  return false;
}

PyObject* get_method(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!check_at_most_two("get", count)) return nullptr;
  const Key key = key_of(args[0]);
  Thread* thread = this_thread();
  Ref value;
  if (!key.hashed() || !thread || !look_up(*thread, self, key, value)) return nullptr;
  return value ? value.release() : Py_NewRef(count == 2 ? args[1] : Py_None);
}

PyObject* setdefault(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!check_at_most_two("setdefault", count)) return nullptr;
  const Key key = key_of(args[0]);
  Thread* thread = this_thread();
  PyObject* const value = count == 2 ? args[1] : Py_None;
  Ref present;
  if (!key.hashed() || !thread || !in_writing_transaction(*thread, self, [&] {
        present = Ref();
        return put(*thread, self, key, value, true, present);
      }))
    return nullptr;
  return present ? present.release() : Py_NewRef(value);
}

PyObject* pop(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!check_at_most_two("pop", count)) return nullptr;
  const Key key = key_of(args[0]);
  Thread* thread = this_thread();
  Item taken;
  if (!key.hashed() || !thread || !in_writing_transaction(*thread, self, [&] {
        taken = {};
        return take(*thread, self, key, taken);
      }))
    return nullptr;
  if (taken.value) return taken.value.release();
  return count == 2 ? Py_NewRef(args[1]) : raise_key_error(args[0]);
}

PyObject* popitem(PyObject* self, PyObject*) {
  Thread* thread = this_thread();
  Item taken;
  if (!thread || !in_writing_transaction(*thread, self, [&] {
        taken = {};
        return take_last(*thread, self, taken);
      }))
    return nullptr;
  if (taken.key) return PyTuple_Pack(2, taken.key.get(), taken.value.get());
  PyErr_SetString(PyExc_KeyError, "popitem(): dictionary is empty");
  return nullptr;
}

PyObject* update(PyObject* self, PyObject* args, PyObject* kwargs) {
  PairSource source;
  if (!source.take_arguments("update", args, kwargs) || !source.set_in(self)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* copy(PyObject* self, PyObject*) {
  std::vector<Pair> pairs;
  if (!collect_pairs_of_ours(self, pairs)) return nullptr;
  Ref made = Ref::steal(new_keyed(stm_dict_type));
  return made && set_pairs(made.get(), pairs) ? made.release() : nullptr;
}

PyObject* fromkeys(PyObject* type, PyObject* const* args, Py_ssize_t count) {
  if (!check_at_most_two("fromkeys", count)) return nullptr;
  PyObject* const value = count == 2 ? args[1] : Py_None;
  Ref made = Ref::steal(PyObject_CallNoArgs(type));
  const Ref iterator = made ? Ref::steal(PyObject_GetIter(args[0])) : Ref();
  if (!iterator) return nullptr;
  while (const Ref key = Ref::steal(PyIter_Next(iterator.get()))) {
    if (PyObject_SetItem(made.get(), key.get(), value) < 0) return nullptr;
  }
  return PyErr_Occurred() ? nullptr : made.release();
}

template <Shows kShows>
PyObject* view(PyObject* self, PyObject*) {
  return make_view(self, kShows);
}

PyObject* reversed(PyObject* self, PyObject*) { return make_iterator(self, Shows::Keys, true); }

PyObject* reduce(PyObject* self, PyObject*) {
  Ref pairs = Ref::steal(make_iterator(self, Shows::Items, false));
  return pairs ? reduce_collection(self, "empty", Ref::steal(PyTuple_New(0)), Ref(), std::move(pairs))
               : nullptr;
}

PyCFunction with_keywords(PyObject* (*function)(PyObject*, PyObject*, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

PyMethodDef dict_methods[] = {
    {"get", fast(guarded<get_method>), METH_FASTCALL,
     "get($self, key, default=None, /)\n--\n\nThe value of the key, or the default."},
    {"setdefault", fast(setdefault), METH_FASTCALL,
     "setdefault($self, key, default=None, /)\n--\n\nThe value of the key, which is the default from now on "
     "if it had none."},
    {"pop", fast(pop), METH_FASTCALL,
     "D.pop(k[,d]) -> v, remove the key and return its value; without it the default, or KeyError."},
    {"popitem", popitem, METH_NOARGS,
     "popitem($self, /)\n--\n\nRemoves and returns the pair that was inserted last; KeyError if there is "
     "none. Conflicts with "
     "everything that changes the dict."},
    {"clear", clear_method, METH_NOARGS, "clear($self, /)\n--\n\nRemoves everything."},
    {"update", with_keywords(guarded<update>), METH_VARARGS | METH_KEYWORDS,
     "D.update([E, ]**F) -> None. Sets the items of a mapping, of an iterable of pairs, and of the keywords, "
     "all at once."},
    {"copy", guarded<copy>, METH_NOARGS, "copy($self, /)\n--\n\nAn STMDict of the same items."},
    {"fromkeys", fast(fromkeys), METH_FASTCALL | METH_CLASS,
     "fromkeys($type, iterable, value=None, /)\n--\n\nA new one with keys from an iterable, all of one "
     "value."},
    {"keys", view<Shows::Keys>, METH_NOARGS, "A set-like view of the keys."},
    {"values", view<Shows::Values>, METH_NOARGS, "A view of the values."},
    {"items", view<Shows::Items>, METH_NOARGS, "A set-like view of the (key, value) pairs."},
    {"__reversed__", guarded<reversed>, METH_NOARGS, "An iterator over the keys, the last one first."},
    {"__reduce__", guarded<reduce>, METH_NOARGS, "Helper for pickle."},
    {"__sizeof__", memory_of, METH_NOARGS, "Size of object in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
