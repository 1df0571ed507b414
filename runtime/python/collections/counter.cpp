#include "runtime/python/collections/counter.h"

#include <limits>
#include <new>

#include "runtime/python/collections/collection.h"
#include "runtime/python/collections/tally.h"

namespace stmpy {
namespace {

struct Counter {
  Shell shell;
  Tally tally;
};

Tally& tally_of(PyObject* self) { return reinterpret_cast<Counter*>(self)->tally; }

// The value that the thread sees: in a transaction, or the committed one. Null with an exception.
PyObject* get_value(PyObject* self, void*) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  if (!thread->in_transaction()) return to_python(tally_of(self).committed());
  Number sum = 0;
  if (!in_one_transaction(*thread, [&] { return tally_of(self).read(*thread, self, sum); })) return nullptr;
  return to_python(sum);
}

int set_value(PyObject* self, PyObject* value, void*) {
  if (!value) {
    PyErr_SetString(PyExc_AttributeError, "the value of a counter cannot be deleted");
    return -1;
  }
  Number to;
  Thread* thread = this_thread();
  if (!thread || !from_python(value, to)) return -1;
  const bool done = in_writing_transaction(*thread, self, [&] {
    Number sum;
    const Done read = tally_of(self).own(*thread, self, sum);
    if (read != Done::Yes) return read;
    Ref replaced = Ref::steal(to_python(sum));
    if (!replaced) return Done::Failed;
    return tally_of(self).set(*thread, self, to, std::move(replaced));
  });
  return done ? 0 : -1;
}

bool add(PyObject* self, std::int64_t amount) {
  Thread* thread = this_thread();
  if (!thread) return false;
  if (!thread->in_transaction() && !has_invariants(*thread, Py_TYPE(self)) &&
      tally_of(self).add_if_free(*thread, amount))
    return true;
  return in_writing_transaction(*thread, self, [&] { return tally_of(self).add(*thread, self, amount); });
}

// An amount to add, or with `sign` -1 to take away. False with an exception.
bool amount_of(PyObject* given, int sign, std::int64_t& amount) {
  Number number;
  if (!from_python(given, number)) return false;
  number *= sign;
  amount = static_cast<std::int64_t>(number);
  if (amount == number) return true;
  PyErr_SetString(PyExc_OverflowError, "an amount that is added to a counter must fit into 64 bits");
  return false;
}

PyObject* add_method(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (count + named > 1 ||
      (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, 0), "n") != 0)) {
    PyErr_SetString(PyExc_TypeError, "add() takes one argument: add(n=1)");
    return nullptr;
  }
  std::int64_t amount = 1;
  if (count + named == 1 && !amount_of(args[0], 1, amount)) return nullptr;
  if (!add(self, amount)) return nullptr;
  Py_RETURN_NONE;
}

template <int kSign>
PyObject* in_place(PyObject* self, PyObject* other) {
  std::int64_t amount;
  if (!PyIndex_Check(other)) Py_RETURN_NOTIMPLEMENTED;
  return amount_of(other, kSign, amount) && add(self, amount) ? Py_NewRef(self) : nullptr;
}

PyObject* to_int(PyObject* self) { return get_value(self, nullptr); }

PyObject* counter_repr(PyObject* self) {
  const Ref value = Ref::steal(get_value(self, nullptr));
  const Ref name = value ? Ref::steal(PyType_GetName(Py_TYPE(self))) : Ref();
  return name ? PyUnicode_FromFormat("%U(%S)", name.get(), value.get()) : nullptr;
}

PyObject* reduce(PyObject* self, PyObject*) {
  const Ref value = Ref::steal(get_value(self, nullptr));
  return value ? reduce_collection(self, "counter", Ref::steal(PyTuple_Pack(1, value.get())), Ref())
               : nullptr;
}

// --- life and death

PyObject* counter_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const self = new_object(type);
  if (self) new (&tally_of(self)) Tally;
  return self;
}

int counter_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"value", nullptr};
  PyObject* value = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:STMCounter", const_cast<char**>(names), &value))
    return -1;
  return value && set_value(self, value, nullptr) < 0 ? -1 : end_init(self);
}

void keep(PyObject*) {}

Ref name_of(PyObject* self, const core::Record* record) {
  return record == &tally_of(self).record ? Ref::steal(PyUnicode_FromString("value")) : Ref();
}

PyGetSetDef getsets[] = {
    {"value", get_value, set_value,
     "The number. Reading it in a transaction conflicts with those that add to it; setting it conflicts with "
     "everybody.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef methods[] = {
    {"add", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(add_method)),
     METH_FASTCALL | METH_KEYWORDS,
     "add($self, /, n=1)\n--\n\n"
     "Adds n, a whole number of up to 64 bits (OverflowError), positive or negative. Transactions that add "
     "do not "
     "conflict with each other; additions are made when the transaction commits. Outside of one it is done "
     "at once."},
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {nullptr, nullptr, 0, nullptr},
};

PyNumberMethods make_number_methods() {
  PyNumberMethods number = {};
  number.nb_int = to_int;
  number.nb_inplace_add = in_place<1>;
  number.nb_inplace_subtract = in_place<-1>;
  return number;
}
PyNumberMethods number_methods = make_number_methods();

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.STMCounter");
  type.tp_doc =
      "STMCounter(value=0)\n--\n\n"
      "A number that many transactions add to. add(n) of different transactions do not conflict with each "
      "other, and "
      "`c += n` is add; int(c) and c.value read the number, which conflicts with additions of transactions "
      "in "
      "progress. Outside of transactions it is the committed number, at once.\n\n"
      "Counters are compared and hashed by identity.";
  type.tp_basicsize = sizeof(Counter);
  type.tp_flags = kCollectionFlags;
  type.tp_new = counter_new;
  type.tp_init = counter_init;
  type.tp_dealloc = dealloc_collection<keep, keep>;
  type.tp_traverse = stm_object_type->tp_traverse;
  type.tp_clear = stm_object_type->tp_clear;
  type.tp_repr = counter_repr;
  type.tp_as_number = &number_methods;
  type.tp_getset = getsets;
  type.tp_methods = methods;
  return type;
}

}  // namespace

int add_counter(PyObject* module) {
  static PyTypeObject type = make_type();
  return add_collection(module, {&type, name_of}, nullptr);
}

}  // namespace stmpy
