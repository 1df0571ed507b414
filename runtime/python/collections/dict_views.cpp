#include "runtime/python/collections/dict_views.h"

#include "runtime/python/collections/dict.h"
#include "runtime/python/collections/set.h"

namespace stmpy {
namespace {

struct View {
  PyObject_HEAD PyObject* dict;
};
PyObject* dict_of(PyObject* view) { return reinterpret_cast<View*>(view)->dict; }

extern PyTypeObject* const keys_type;
extern PyTypeObject* const values_type;
extern PyTypeObject* const items_type;

Shows shows_of(PyObject* view) {
  return Py_TYPE(view) == keys_type    ? Shows::Keys
         : Py_TYPE(view) == items_type ? Shows::Items
                                       : Shows::Values;
}

Py_ssize_t length(PyObject* view) { return size_of(dict_of(view)); }
PyObject* iterate(PyObject* view) { return make_iterator(dict_of(view), shows_of(view), false); }
PyObject* iterate_reversed(PyObject* view, PyObject*) {
  return make_iterator(dict_of(view), shows_of(view), true);
}

int contains_key(PyObject* view, PyObject* key) { return PySequence_Contains(dict_of(view), key); }

int contains_item(PyObject* view, PyObject* item) {
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) return 0;
  const Key key = key_of(PyTuple_GET_ITEM(item, 0));
  Thread* thread = this_thread();
  Ref value;
  if (!key.hashed() || !thread || !look_up(*thread, dict_of(view), key, value)) return -1;
  return value ? PyObject_RichCompareBool(value.get(), PyTuple_GET_ITEM(item, 1), Py_EQ) : 0;
}

PyObject* repr(PyObject* view) {
  const int running = Py_ReprEnter(view);
  if (running != 0) return running > 0 ? PyUnicode_FromString("...") : nullptr;
  const Ref list = Ref::steal(PySequence_List(view));
  const char* const name = shows_of(view) == Shows::Keys    ? "dict_keys"
                           : shows_of(view) == Shows::Items ? "dict_items"
                                                            : "dict_values";
  PyObject* const text = list ? PyUnicode_FromFormat("%s(%R)", name, list.get()) : nullptr;
  Py_ReprLeave(view);
  return text;
}

bool is_ours(PyObject* object) { return is_stm_set(object) || is_set_view(object); }

// What a plain dict or set shows in the place of ours; all else is left as it is.
Ref plain_operand(PyObject* object) {
  if (!is_ours(object)) return Ref::borrow(object);
  if (is_stm_set(object)) return plain_set(object);
  const Ref dict = plain_dict(dict_of(object));
  const char* const shown = shows_of(object) == Shows::Keys ? "keys" : "items";
  return dict ? Ref::steal(PyObject_CallMethod(dict.get(), shown, nullptr)) : Ref();
}

// Both of one moment, and what `operate` makes of the two. One of them is a view.
template <class Operate>
PyObject* with_plain_operands(PyObject* left, PyObject* right, Operate operate) {
  Ref first, second;
  const auto look = [&] {
    first = plain_operand(left);
    second = first ? plain_operand(right) : Ref();
    return static_cast<bool>(second);
  };
  const bool done = together(look, is_ours(left) && is_ours(right));
  return done ? operate(first.get(), second.get()) : nullptr;
}

template <binaryfunc kOperate>
PyObject* combined(PyObject* left, PyObject* right) {
  return with_plain_operands(left, right, kOperate);
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if (!PyAnySet_Check(other) && !PyDictViewSet_Check(other) && !is_set_view(other)) Py_RETURN_NOTIMPLEMENTED;
  return with_plain_operands(self, other, [operation](PyObject* mine, PyObject* others) {
    return PyObject_RichCompare(mine, others, operation);
  });
}

PyObject* is_disjoint(PyObject* self, PyObject* other) {
  return with_plain_operands(self, other, [](PyObject* mine, PyObject* others) {
    return PyObject_CallMethod(mine, "isdisjoint", "(O)", others);
  });
}

PyObject* mapping(PyObject* view, void*) { return PyDictProxy_New(dict_of(view)); }

int traverse(PyObject* view, visitproc visit, void* arg) {
  Py_VISIT(dict_of(view));
  return 0;
}

void dealloc(PyObject* view) {
  PyObject_GC_UnTrack(view);
  Py_XDECREF(dict_of(view));
  PyObject_GC_Del(view);
}

PyMethodDef value_methods[] = {
    {"__reversed__", guarded<iterate_reversed>, METH_NOARGS, "A reverse iterator."},
    {nullptr, nullptr, 0, nullptr},
};
PyMethodDef set_methods[] = {
    {"__reversed__", guarded<iterate_reversed>, METH_NOARGS, "A reverse iterator."},
    {"isdisjoint", guarded<is_disjoint>, METH_O, "True if it has nothing in common with an iterable."},
    {nullptr, nullptr, 0, nullptr},
};
PyGetSetDef getsets[] = {
    {"mapping", mapping, nullptr, "A read-only proxy of the dict.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PySequenceMethods make_sequence_methods(objobjproc contains) {
  PySequenceMethods sequence = {};
  sequence.sq_length = length;
  sequence.sq_contains = contains;
  return sequence;
}
PySequenceMethods keys_sequence = make_sequence_methods(contains_key);
PySequenceMethods values_sequence = make_sequence_methods(nullptr);
PySequenceMethods items_sequence = make_sequence_methods(guarded<contains_item>);

PyNumberMethods make_number_methods() {
  PyNumberMethods number = {};
  number.nb_and = guarded<combined<PyNumber_And>>;
  number.nb_or = guarded<combined<PyNumber_Or>>;
  number.nb_subtract = guarded<combined<PyNumber_Subtract>>;
  number.nb_xor = guarded<combined<PyNumber_Xor>>;
  return number;
}
PyNumberMethods number_methods = make_number_methods();

PyTypeObject make_type(const char* name, PySequenceMethods& sequence, bool is_set) {
  PyTypeObject type = unready_type(name);
  type.tp_basicsize = sizeof(View);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_dealloc = dealloc;
  type.tp_traverse = traverse;
  type.tp_iter = guarded<iterate>;
  type.tp_repr = repr;
  type.tp_as_sequence = &sequence;
  type.tp_getset = getsets;
  type.tp_methods = is_set ? set_methods : value_methods;
  if (is_set) {
    type.tp_richcompare = guarded<compare>;
    type.tp_hash = PyObject_HashNotImplemented;
    type.tp_as_number = &number_methods;
  }
  return type;
}
PyTypeObject keys = make_type("stmpy.dict_keys", keys_sequence, true);
PyTypeObject values = make_type("stmpy.dict_values", values_sequence, false);
PyTypeObject items = make_type("stmpy.dict_items", items_sequence, true);
PyTypeObject* const keys_type = &keys;
PyTypeObject* const values_type = &values;
PyTypeObject* const items_type = &items;

}  // namespace

PyObject* make_view(PyObject* dict, Shows shows) {
  View* const view = PyObject_GC_New(View, shows == Shows::Keys     ? keys_type
                                           : shows == Shows::Values ? values_type
                                                                    : items_type);
  if (!view) return nullptr;
  view->dict = Py_NewRef(dict);
  auto* const object = reinterpret_cast<PyObject*>(view);
  PyObject_GC_Track(object);
  return object;
}

bool is_set_view(PyObject* object) { return Py_TYPE(object) == keys_type || Py_TYPE(object) == items_type; }

int add_dict_views() {
  for (const auto& [type, base] :
       {std::pair{keys_type, "KeysView"}, {values_type, "ValuesView"}, {items_type, "ItemsView"}}) {
    if (PyType_Ready(type) < 0 || !register_with(reinterpret_cast<PyObject*>(type), base)) return -1;
  }
  return 0;
}

}  // namespace stmpy
