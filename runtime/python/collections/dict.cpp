#include "runtime/python/collections/dict.h"

#include "runtime/python/collections/dict_views.h"
#include "runtime/python/collections/keyed_iterator.h"
#include "runtime/python/collections/keyed_methods.h"

namespace stmpy {
namespace {

PyObject* missing(PyObject* self, PyObject* key) {
  if (Py_TYPE(self) != stm_dict_type) {
    static PyObject* const name = PyUnicode_InternFromString("__missing__");
    const Ref method = type_lookup(Py_TYPE(self), name);
    if (method) return PyObject_CallMethodOneArg(self, name, key);
  }
  return raise_key_error(key);
}

PyObject* subscript(PyObject* self, PyObject* object) {
  const Key key = key_of(object);
  Thread* thread = this_thread();
  Ref value;
  if (!key.hashed() || !thread || !look_up(*thread, self, key, value)) return nullptr;
  return value ? value.release() : missing(self, object);
}

int assign(PyObject* self, PyObject* object, PyObject* value) {
  const Key key = key_of(object);
  Thread* thread = this_thread();
  if (!key.hashed() || !thread) return -1;
  if (value) {
    Ref present;
    const auto act = [&] { return put(*thread, self, key, value, false, present); };
    return in_writing_transaction(*thread, self, act) ? 0 : -1;
  }
  Item taken;
  if (!in_writing_transaction(*thread, self, [&] { return take(*thread, self, key, taken); })) return -1;
  if (taken.key) return 0;
  raise_key_error(object);
  return -1;
}

int contains(PyObject* self, PyObject* object) {
  const Key key = key_of(object);
  Thread* thread = this_thread();
  Ref value;
  if (!key.hashed() || !thread || !look_up(*thread, self, key, value)) return -1;
  return value ? 1 : 0;
}

PyObject* iterate(PyObject* self) { return make_iterator(self, Shows::Keys, false); }

PyObject* repr(PyObject* self) {
  const int running = Py_ReprEnter(self);
  if (running != 0) return running > 0 ? PyUnicode_FromString("{...}") : nullptr;
  const Ref plain = plain_dict(self);
  PyObject* const text = plain ? PyObject_Repr(plain.get()) : nullptr;
  Py_ReprLeave(self);
  return text;
}

// With dicts and STMDicts. Other mappings compare themselves with us.
PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || (!PyDict_Check(other) && !is_stm_dict(other)))
    Py_RETURN_NOTIMPLEMENTED;
  if (self == other) return PyBool_FromLong(operation == Py_EQ);
  Ref mine, others;
  const auto look = [&] {
    mine = plain_dict(self);
    others = PyDict_Check(other) ? Ref::borrow(other) : mine ? plain_dict(other) : Ref();
    return mine && others;
  };
  return together(look, is_stm_dict(other)) ? PyObject_RichCompare(mine.get(), others.get(), operation)
                                            : nullptr;
}

// A new dict of the left operand's items and then of the right one's.
PyObject* join(PyObject* left, PyObject* right) {
  const auto is_dict = [](PyObject* operand) { return PyDict_Check(operand) || is_stm_dict(operand); };
  if (!is_dict(left) || !is_dict(right)) Py_RETURN_NOTIMPLEMENTED;
  PairSource first, second;
  std::vector<Pair> pairs;
  const auto look = [&] {
    pairs.clear();
    return first.now(pairs) && second.now(pairs);
  };
  const bool done =
      first.take(left) && second.take(right) && together(look, first.is_ours() && second.is_ours());
  Ref made = done ? Ref::steal(new_keyed(stm_dict_type)) : Ref();
  return made && set_pairs(made.get(), pairs) ? made.release() : nullptr;
}

PyObject* join_in_place(PyObject* self, PyObject* other) {
  PairSource source;
  return source.take(other) && source.set_in(self) ? Py_NewRef(self) : nullptr;
}

PyObject* dict_new(PyTypeObject* type, PyObject*, PyObject*) { return new_keyed(type); }

int dict_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PairSource source;
  const bool done =
      source.take_arguments("STMDict", args, kwargs) && (source.is_empty() || source.set_in(self));
  return done ? end_init(self) : -1;
}

PyMappingMethods mapping_methods = {size_of, guarded<subscript>, guarded<assign>};

PySequenceMethods make_sequence_methods() {
  PySequenceMethods sequence = {};
  sequence.sq_contains = guarded<contains>;
  return sequence;
}
PySequenceMethods sequence_methods = make_sequence_methods();

PyNumberMethods make_number_methods() {
  PyNumberMethods number = {};
  number.nb_or = guarded<join>;
  number.nb_inplace_or = guarded<join_in_place>;
  return number;
}
PyNumberMethods number_methods = make_number_methods();

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.STMDict");
  type.tp_doc =
      "STMDict() -> empty\nSTMDict(mapping) / STMDict(iterable of pairs) / STMDict(**kwargs)\n--\n\n"
      "A dict that transactions change. Those that use different keys do not conflict; a key that is absent "
      "conflicts with its insertion. `len`, iteration and comparison see one consistent whole, and conflict "
      "with "
      "what changes it.\n\n"
      "Keys come in the order in which the transactions that inserted them have committed. Outside of "
      "transactions `d[key]` and `len(d)` are the committed ones, at once; every other operation is a "
      "transaction of its own.";
  type.tp_basicsize = sizeof(Keyed);
  type.tp_flags = kCollectionFlags | Py_TPFLAGS_MAPPING;
  type.tp_new = dict_new;
  type.tp_init = guarded<dict_init>;
  type.tp_dealloc = dealloc_keyed;
  type.tp_traverse = traverse_keyed;
  type.tp_clear = clear_keyed;
  type.tp_iter = guarded<iterate>;
  type.tp_repr = repr;
  type.tp_hash = PyObject_HashNotImplemented;
  type.tp_richcompare = compare;
  type.tp_as_mapping = &mapping_methods;
  type.tp_as_sequence = &sequence_methods;
  type.tp_as_number = &number_methods;
  type.tp_methods = dict_methods;
  return type;
}
PyTypeObject dict_type = make_type();

}  // namespace

PyTypeObject* const stm_dict_type = &dict_type;

Ref plain_dict(PyObject* self) {
  std::vector<Item> items;
  if (!items_of(self, items)) return Ref();
  Ref plain = Ref::steal(PyDict_New());
  for (const Item& item : items) {
    if (!plain || PyDict_SetItem(plain.get(), item.key.get(), item.value.get()) < 0) return Ref();
  }
  return plain;
}

int add_dict(PyObject* module) {
  if (ready_iterator_type() < 0 || add_dict_views() < 0) return -1;
  return add_collection(module, {&dict_type, name_in_keyed, is_inner_slot}, "MutableMapping");
}

}  // namespace stmpy
