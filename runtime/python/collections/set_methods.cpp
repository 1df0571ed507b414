#include "runtime/python/collections/keyed_methods.h"
#include "runtime/python/collections/set.h"
#include "runtime/python/collections/set_operations.h"

namespace stmpy {
namespace {

PyObject* add(PyObject* self, PyObject* object) {
  const Key key = key_of(object);
  Thread* const thread = this_thread();
  Ref present;
  if (!key.hashed() || !thread ||
      !in_writing_transaction(*thread, self, [&] { return put(*thread, self, key, Py_None, true, present); }))
    return nullptr;
  Py_RETURN_NONE;
}

// Takes it away: 1, or 0 where it is not there, or -1 with an exception.
int take_away(PyObject* self, PyObject* object) {
  Ref frozen;
  const Key key = key_of_element(object, frozen);
  Thread* const thread = this_thread();
  Item taken;
  if (!key.hashed() || !thread || !in_writing_transaction(*thread, self, [&] {
        taken = {};
        return take(*thread, self, key, taken);
      }))
    return -1;
  return taken.key ? 1 : 0;
}

PyObject* discard(PyObject* self, PyObject* object) {
  if (take_away(self, object) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* remove(PyObject* self, PyObject* object) {
  const int found = take_away(self, object);
  if (found > 0) Py_RETURN_NONE;
  return found < 0 ? nullptr : raise_key_error(object);
}

PyObject* pop(PyObject* self, PyObject*) {
  Thread* const thread = this_thread();
  Item taken;
  if (!thread || !in_writing_transaction(*thread, self, [&] {
        taken = {};
        return take_any(*thread, self, taken);
      }))
    return nullptr;
  if (taken.key) return taken.key.release();
  PyErr_SetString(PyExc_KeyError, "pop from an empty set");
  return nullptr;
}

PyObject* copy(PyObject* self, PyObject*) { return combined(self, Combine::Union, nullptr, 0); }

template <Combine kHow>
PyObject* combine_all(PyObject* self, PyObject* const* others, Py_ssize_t count) {
  return combined(self, kHow, others, count);
}
template <Combine kHow>
PyObject* combine_all_in_place(PyObject* self, PyObject* const* others, Py_ssize_t count) {
  if (!combine_in_place(self, kHow, others, count)) return nullptr;
  Py_RETURN_NONE;
}
PyObject* differ(PyObject* self, PyObject* other) {
  return combined(self, Combine::SymmetricDifference, &other, 1);
}
PyObject* differ_in_place(PyObject* self, PyObject* other) {
  return combine_all_in_place<Combine::SymmetricDifference>(self, &other, 1);
}

// A comparison of two plain sets, of one moment.
template <int kOperation>
PyObject* compare_with(PyObject* self, PyObject* other) {
  Operand operand;
  Ref mine, others;
  const bool done = operand.take(other) && together([&] {
                      mine = plain_set(self);
                      others = operand.now_as_set();
                      return mine && others;
                    });
  return done ? PyObject_RichCompare(mine.get(), others.get(), kOperation) : nullptr;
}

PyObject* is_disjoint(PyObject* self, PyObject* other) {
  const Ref common = Ref::steal(combined(self, Combine::Intersection, &other, 1));
  return common ? PyBool_FromLong(size_of(common.get()) == 0) : nullptr;
}

PyObject* reduce(PyObject* self, PyObject*) {
  const Ref elements = Ref::steal(PySequence_List(self));
  return elements ? reduce_collection(self, "set_of", Ref::steal(PyTuple_Pack(1, elements.get())), Ref())
                  : nullptr;
}

}  // namespace

PyMethodDef set_methods[] = {
    {"add", add, METH_O,
     "add($self, object, /)\n--\n\nAdds an element, which does nothing where it is there."},
    {"discard", discard, METH_O, "discard($self, object, /)\n--\n\nRemoves an element, if it is there."},
    {"remove", remove, METH_O,
     "remove($self, object, /)\n--\n\nRemoves an element; KeyError if it is not there."},
    {"pop", pop, METH_NOARGS,
     "pop($self, /)\n--\n\nRemoves and returns an element, one that no other transaction is using if there "
     "is such a one; "
     "KeyError if the set is empty."},
    {"clear", clear_method, METH_NOARGS, "clear($self, /)\n--\n\nRemoves everything."},
    {"copy", guarded<copy>, METH_NOARGS, "copy($self, /)\n--\n\nAn STMSet of the same elements."},
    {"union", fast(guarded<combine_all<Combine::Union>>), METH_FASTCALL,
     "A new STMSet, with the elements of all the iterables too."},
    {"intersection", fast(guarded<combine_all<Combine::Intersection>>), METH_FASTCALL,
     "A new STMSet of those elements that are in all the iterables."},
    {"difference", fast(guarded<combine_all<Combine::Difference>>), METH_FASTCALL,
     "A new STMSet of those elements that are in none of the iterables."},
    {"symmetric_difference", guarded<differ>, METH_O, "A new STMSet of what is in one of the two only."},
    {"update", fast(guarded<combine_all_in_place<Combine::Union>>), METH_FASTCALL,
     "Adds the elements of all the iterables, all at once."},
    {"intersection_update", fast(guarded<combine_all_in_place<Combine::Intersection>>), METH_FASTCALL,
     "Removes what is not in all the iterables."},
    {"difference_update", fast(guarded<combine_all_in_place<Combine::Difference>>), METH_FASTCALL,
     "Removes the elements of all the iterables."},
    {"symmetric_difference_update", guarded<differ_in_place>, METH_O,
     "Removes what is in both, and adds what is in the other one only."},
    {"issubset", compare_with<Py_LE>, METH_O, "Whether an iterable has all its elements."},
    {"issuperset", compare_with<Py_GE>, METH_O, "Whether it has all elements of an iterable."},
    {"isdisjoint", guarded<is_disjoint>, METH_O, "Whether it has nothing in common with an iterable."},
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {"__sizeof__", memory_of, METH_NOARGS, "Size of object in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
