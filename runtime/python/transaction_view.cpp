#include "runtime/python/transaction_view.h"

#include <cstddef>

namespace stmpy {
namespace {

// Refers to nothing but a string, so that the garbage collector need not know it.
struct TransactionView {
  PyObject_HEAD core::Attempt attempt;
  unsigned long long call;
  unsigned long long number;
  PyObject* name;  // null: None
};

TransactionView* view_of(PyObject* self) { return reinterpret_cast<TransactionView*>(self); }

const char* state_of(const core::Attempt& attempt) {
  const core::Status now = attempt.descriptor->state();
  if (now.generation() != attempt.generation) return "ended";
  switch (now.state()) {
    case core::State::Idle:
      break;
    case core::State::Active:
      return "active";
    case core::State::Doomed:
      return "doomed";
    case core::State::Irrevocable:
      return "irrevocable";
    case core::State::Committed:
      return "committed";
  }
  return "ended";
}

std::size_t count_held(const core::Attempt& attempt, bool writing) {
  const Thread* thread = this_thread_if_any();
  if (!thread || !thread->in_transaction() || attempt != thread->descriptor.current()) return 0;
  std::size_t count = 0;
  core::Descriptor& self = thread->descriptor;
  self.accesses.forwards(self.first_access.get(), [&](core::Access& access) {
    count += core::is_write(access.record.get()->held_by(self)) == writing;
  });
  return count;
}

PyObject* get_state(PyObject* self, void*) { return PyUnicode_FromString(state_of(view_of(self)->attempt)); }
PyObject* get_reads(PyObject* self, void*) {
  return PyLong_FromSize_t(count_held(view_of(self)->attempt, false));
}
PyObject* get_writes(PyObject* self, void*) {
  return PyLong_FromSize_t(count_held(view_of(self)->attempt, true));
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(self) != Py_TYPE(other)) Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong((view_of(self)->attempt == view_of(other)->attempt) == (operation == Py_EQ));
}

// Of what it is compared by.
Py_hash_t hash(PyObject* self) {
  const core::Attempt& attempt = view_of(self)->attempt;
  const auto mixed = static_cast<Py_hash_t>(attempt.generation * 1'000'003 + attempt.descriptor->id);
  return mixed == -1 ? -2 : mixed;
}

PyObject* repr(PyObject* self) {
  const TransactionView* view = view_of(self);
  return PyUnicode_FromFormat("<Transaction %llu of %S, attempt %llu, %s>", view->call,
                              view->name ? view->name : Py_None, view->number, state_of(view->attempt));
}

PyObject* refuse_pickling(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError,
                  "a Transaction cannot be pickled or copied, it stands for an attempt of this process: take "
                  "its id, attempt and name");
  return nullptr;
}

void dealloc(PyObject* self) {
  Py_XDECREF(view_of(self)->name);
  Py_TYPE(self)->tp_free(self);
}

PyMethodDef methods[] = {
    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef members[] = {
    {"id", T_ULONGLONG, offsetof(TransactionView, call), READONLY,
     "A number that all attempts of one call share; 0 for a write outside of transactions."},
    {"attempt", T_ULONGLONG, offsetof(TransactionView, number), READONLY,
     "Which attempt of the call this is, from 1."},
    {"name", T_OBJECT, offsetof(TransactionView, name), READONLY,
     "The qualified name of the function, or @atomic's name=; None for a write outside of transactions."},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef getsets[] = {
    {"state", get_state, nullptr,
     "\"active\", \"doomed\", \"irrevocable\", \"committed\" or \"ended\": as it is now.", nullptr},
    {"reads", get_reads, nullptr,
     "How many attributes it has read and not written; 0 seen from another thread, or when it is over.",
     nullptr},
    {"writes", get_writes, nullptr,
     "How many attributes it has written; 0 seen from another thread, or when it is over.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.Transaction");
  type.tp_doc =
      "One attempt of a call of an atomic function or of a block, as current_transaction() and access_map() "
      "show "
      "it. Equal to every other view of the same attempt. It stays valid, and keeps nothing alive, when the "
      "attempt is over.";
  type.tp_basicsize = sizeof(TransactionView);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_dealloc = dealloc;
  type.tp_richcompare = compare;
  type.tp_hash = hash;
  type.tp_repr = repr;
  type.tp_methods = methods;
  type.tp_members = members;
  type.tp_getset = getsets;
  return type;
}

PyTypeObject* type() {
  static PyTypeObject the_type = make_type();
  return &the_type;
}

}  // namespace

std::optional<Identity> identity_of(const core::Attempt& attempt) {
  const Thread* thread = thread_of(*attempt.descriptor);
  if (!thread) return std::nullopt;
  const std::uint64_t call = thread->call.get_acquire();
  const std::uint64_t number = thread->attempt.get_acquire();
  PyObject* const name = thread->name.get_acquire();
  // They are of this attempt if it has not ended yet: the next call's are shown behind its end.
  if (!core::in_progress(attempt)) return std::nullopt;
  // With the GIL its name is alive as long as no code runs, and without it interned names are immortal.
  return Identity{attempt, call, call != 0 ? number : 0, Ref::borrow(name)};
}

Ref make_transaction_view(const Identity& identity) {
  Ref self = Ref::steal(type()->tp_alloc(type(), 0));
  if (!self) return self;
  TransactionView* view = view_of(self.get());
  view->attempt = identity.attempt;
  view->call = identity.call;
  view->number = identity.number;
  view->name = Py_XNewRef(identity.name.get());
  return self;
}

int add_transaction_view(PyObject* module) {
  if (PyType_Ready(type()) < 0) return -1;
  return PyModule_AddObjectRef(module, "Transaction", reinterpret_cast<PyObject*>(type()));
}

}  // namespace stmpy
