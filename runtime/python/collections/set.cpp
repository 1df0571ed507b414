#include "runtime/python/collections/set.h"

#include "runtime/python/collections/dict_views.h"
#include "runtime/python/collections/keyed_iterator.h"
#include "runtime/python/collections/set_operations.h"

namespace stmpy {
namespace {

// What the operators take; the methods take any iterable.
bool is_set(PyObject* object) {
  return PyAnySet_Check(object) || is_stm_set(object) || PyDictViewSet_Check(object) || is_set_view(object);
}

// The type of the result is that of the left operand.
template <Combine kHow>
PyObject* operate(PyObject* left, PyObject* right) {
  if (!is_set(left) || !is_set(right)) Py_RETURN_NOTIMPLEMENTED;
  if (is_stm_set(left)) return combined(left, kHow, &right, 1);
  const Ref plain = plain_set(right);
  if (!plain) return nullptr;
  switch (kHow) {
    case Combine::Union:
      return PyNumber_Or(left, plain.get());
    case Combine::Intersection:
      return PyNumber_And(left, plain.get());
    case Combine::Difference:
      return PyNumber_Subtract(left, plain.get());
    case Combine::SymmetricDifference:
      return PyNumber_Xor(left, plain.get());
  }
}

template <Combine kHow>
PyObject* operate_in_place(PyObject* self, PyObject* other) {
  if (!is_set(other)) Py_RETURN_NOTIMPLEMENTED;
  return combine_in_place(self, kHow, &other, 1) ? Py_NewRef(self) : nullptr;
}

// With sets of all kinds; others compare themselves with us.
PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if (!is_set(other)) Py_RETURN_NOTIMPLEMENTED;
  Ref mine, others;
  const bool done = together([&] {
    Operand operand;
    if (!operand.take(other)) return false;
    mine = plain_set(self);
    others = operand.now_as_set();
    return mine && others;
  });
  return done ? PyObject_RichCompare(mine.get(), others.get(), operation) : nullptr;
}

PyObject* iterate(PyObject* self) { return make_iterator(self, Shows::Elements, false); }

PyObject* repr(PyObject* self) {
  const Ref name = Ref::steal(PyType_GetName(Py_TYPE(self)));
  if (!name) return nullptr;
  const int running = Py_ReprEnter(self);
  if (running != 0) return running > 0 ? PyUnicode_FromFormat("%U(...)", name.get()) : nullptr;
  const Ref list = Ref::steal(PySequence_List(self));
  Ref text = list ? Ref::steal(PyObject_Repr(list.get())) : Ref();
  if (text && PyList_GET_SIZE(list.get()) == 0) {
    text = Ref::steal(PyUnicode_FromFormat("%U()", name.get()));
  } else if (text) {
    const Ref inner = Ref::steal(PyUnicode_Substring(text.get(), 1, PyUnicode_GET_LENGTH(text.get()) - 1));
    text = inner ? Ref::steal(PyUnicode_FromFormat("%U({%U})", name.get(), inner.get())) : Ref();
  }
  Py_ReprLeave(self);
  return text.release();
}

PyObject* set_new(PyTypeObject* type, PyObject*, PyObject*) { return new_keyed(type); }

// As set.__init__: it replaces what was there.
int set_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* iterable = nullptr;
  if (kwargs && PyDict_GET_SIZE(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "STMSet() takes no keyword arguments");
    return -1;
  }
  if (!PyArg_UnpackTuple(args, "STMSet", 0, 1, &iterable)) return -1;
  std::vector<Element> elements;
  if (iterable && !collect_elements(iterable, elements)) return -1;
  Thread* const thread = this_thread();
  if (!thread) return -1;
  std::vector<Item> taken;
  const bool done = in_writing_transaction(*thread, self, [&] {
    const Done cleared = until_done([&] { return take_all(*thread, self, taken); });
    return cleared == Done::Yes ? add_elements(*thread, self, elements) : cleared;
  });
  return done ? end_init(self) : -1;
}

int contains(PyObject* self, PyObject* object) {
  Ref frozen;
  const Key key = key_of_element(object, frozen);
  Thread* const thread = this_thread();
  Ref value;
  if (!key.hashed() || !thread || !look_up(*thread, self, key, value)) return -1;
  return value ? 1 : 0;
}

PySequenceMethods make_sequence_methods() {
  PySequenceMethods sequence = {};
  sequence.sq_length = size_of;
  sequence.sq_contains = guarded<contains>;
  return sequence;
}
PySequenceMethods sequence_methods = make_sequence_methods();

PyNumberMethods make_number_methods() {
  PyNumberMethods number = {};
  number.nb_or = guarded<operate<Combine::Union>>;
  number.nb_and = guarded<operate<Combine::Intersection>>;
  number.nb_subtract = guarded<operate<Combine::Difference>>;
  number.nb_xor = guarded<operate<Combine::SymmetricDifference>>;
  number.nb_inplace_or = guarded<operate_in_place<Combine::Union>>;
  number.nb_inplace_and = guarded<operate_in_place<Combine::Intersection>>;
  number.nb_inplace_subtract = guarded<operate_in_place<Combine::Difference>>;
  number.nb_inplace_xor = guarded<operate_in_place<Combine::SymmetricDifference>>;
  return number;
}
PyNumberMethods number_methods = make_number_methods();

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.STMSet");
  type.tp_doc =
      "STMSet(iterable=(), /)\n--\n\n"
      "A set that transactions change. Those that use different elements do not conflict; an element that is "
      "absent "
      "conflicts with its insertion. `len`, iteration and comparison see one consistent whole, and conflict "
      "with "
      "what changes it.\n\n"
      "Elements come in the order in which the transactions that added them have committed. Outside of "
      "transactions "
      "`x in s` and `len(s)` are of what is committed, at once; every other operation is a transaction of "
      "its own.";
  type.tp_basicsize = sizeof(Keyed);
  type.tp_flags = kCollectionFlags;
  type.tp_new = set_new;
  type.tp_init = guarded<set_init>;
  type.tp_dealloc = dealloc_keyed;
  type.tp_traverse = traverse_keyed;
  type.tp_clear = clear_keyed;
  type.tp_iter = guarded<iterate>;
  type.tp_repr = repr;
  type.tp_hash = PyObject_HashNotImplemented;
  type.tp_richcompare = compare;
  type.tp_as_sequence = &sequence_methods;
  type.tp_as_number = &number_methods;
  type.tp_methods = set_methods;
  return type;
}
PyTypeObject set_type = make_type();

}  // namespace

PyTypeObject* const stm_set_type = &set_type;

Key key_of_element(PyObject* object, Ref& frozen) {
  const Key key = key_of(object);
  if (key.hashed() || !(PySet_Check(object) || is_stm_set(object)) ||
      !PyErr_ExceptionMatches(PyExc_TypeError))
    return key;
  PyErr_Clear();
  frozen = Ref::steal(PyFrozenSet_New(object));
  return frozen ? key_of(frozen.get()) : Key{nullptr, -1};
}

bool collect_elements(PyObject* iterable, std::vector<Element>& elements) {
  const Ref iterator = Ref::steal(PyObject_GetIter(iterable));
  if (!iterator) return false;
  while (Ref object = Ref::steal(PyIter_Next(iterator.get()))) {
    const Py_hash_t hash = PyObject_Hash(object.get());
    if (hash == -1) return false;
    elements.push_back({std::move(object), hash});
  }
  return !PyErr_Occurred();
}

Done add_elements(Thread& thread, PyObject* self, const std::vector<Element>& elements) {
  for (const Element& element : elements) {
    Ref present;
    const Done done = put(thread, self, {element.object.get(), element.hash}, Py_None, true, present);
    if (done != Done::Yes) return done;
  }
  return Done::Yes;
}

bool Operand::take(PyObject* source) {
  if (is_stm_set(source)) {
    ours_ = source;
  } else {
    others_ = PyAnySet_CheckExact(source) ? Ref::borrow(source) : Ref::steal(PySequence_List(source));
  }
  return ours_ || others_;
}

Ref Operand::now() const { return ours_ ? plain_list(ours_) : Ref::borrow(others_.get()); }

Ref Operand::now_as_set() const {
  Ref elements = now();
  return elements && PyList_Check(elements.get()) ? Ref::steal(PySet_New(elements.get()))
                                                  : std::move(elements);
}

Ref plain_list(PyObject* self) {
  std::vector<Item> items;
  if (!items_of(self, items)) return Ref();
  Ref list = Ref::steal(PyList_New(static_cast<Py_ssize_t>(items.size())));
  for (std::size_t index = 0; list && index < items.size(); ++index)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(index), items[index].key.release());
  return list;
}

Ref plain_set(PyObject* self) {
  const Ref list = plain_list(self);
  return list ? Ref::steal(PySet_New(list.get())) : Ref();
}

PyObject* new_set(const std::vector<Element>& elements) {
  Ref made = Ref::steal(new_keyed(stm_set_type));
  Thread* const thread = this_thread();
  const bool done = made && thread &&
                    in_one_transaction(*thread, [&] { return add_elements(*thread, made.get(), elements); });
  return done ? made.release() : nullptr;
}

int add_set(PyObject* module) {
  return add_collection(module, {&set_type, name_in_keyed, is_inner_slot}, "MutableSet");
}

}  // namespace stmpy
