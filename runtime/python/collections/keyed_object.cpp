// The life of dicts and sets, and what access_map() and revert_log() say of them.

#include <new>

#include "runtime/python/collections/keyed.h"

namespace stmpy {

PyObject* new_keyed(PyTypeObject* type) {
  PyObject* const self = new_object(type);
  if (!self) return nullptr;
  new (&keyed(self).size) Tally;
  try {
    keyed(self).table = new EntryTable;
  } catch (const std::bad_alloc&) {
    Py_DECREF(self);
    PyErr_NoMemory();
    return nullptr;
  }
  return self;
}

int traverse_keyed(PyObject* self, visitproc visit, void* arg) {
  int stop = 0;
  if (const EntryTable* table = keyed(self).table) {
    table->for_each([&](const Entry& entry) {
      const auto visited = [&] {
        Py_VISIT(entry.peek_key());
        Py_VISIT(entry.cell.peek());
        return 0;
      };
      stop = visited();
      return stop == 0;
    });
  }
  return stop != 0 ? stop : stm_object_type->tp_traverse(self, visit, arg);
}

int clear_keyed(PyObject* self) {
  stm_object_type->tp_clear(self);
  if (const EntryTable* table = keyed(self).table) {
    table->for_each([](Entry& entry) {
      const Ref value = Ref::steal(static_cast<PyObject*>(entry.cell.value.exchange(nullptr)));
      const Ref key = Ref::steal(static_cast<PyObject*>(entry.key.exchange(nullptr)));
      return true;
    });
  }
  return 0;
}

namespace {

void clear_entries(PyObject* self) { clear_keyed(self); }

void free_table(PyObject* self) { delete std::exchange(keyed(self).table, nullptr); }

// Only of types whose repr runs no code of the user's.
Ref name_of_key(PyObject* key) {
  const bool plain = key && (PyUnicode_CheckExact(key) || PyLong_CheckExact(key) || PyBytes_CheckExact(key) ||
                             PyFloat_CheckExact(key) || PyBool_Check(key) || key == Py_None);
  if (plain) return Ref::steal(PyUnicode_FromFormat("[%R]", key));
  return Ref::steal(key ? PyUnicode_FromFormat("[%.200s object at %p]", Py_TYPE(key)->tp_name, key)
                        : PyUnicode_FromString("[a key]"));
}

}  // namespace

void dealloc_keyed(PyObject* self) { dealloc_collection<clear_entries, free_table>(self); }

Ref name_in_keyed(PyObject* self, const core::Record* record) {
  const EntryTable& table = *keyed(self).table;
  if (record == &keyed(self).size.record) return Ref::steal(PyUnicode_FromString("len"));
  if (table.is_stripe(record)) return Ref::steal(PyUnicode_FromString("absent keys"));
  const Entry* of = nullptr;
  table.for_each([&](const Entry& entry) {
    if (&entry.cell.record == record) of = &entry;
    return !of;
  });
  if (!of) return Ref();
  Thread* thread = this_thread();
  if (!thread) return Ref();
  // What others have not committed may be gone any moment.
  const bool own = record->held_by(thread->descriptor) != core::Mode::None;
  const Ref key = own ? Ref::borrow(of->peek_key()) : Ref::steal(read_committed(*thread, *record, of->key));
  return name_of_key(key.get());
}

bool is_inner_slot(PyObject* self, const core::Slot* slot) {
  bool found = false;
  keyed(self).table->for_each([&](const Entry& entry) {
    found = &entry.key == slot;
    return !found;
  });
  return found;
}

}  // namespace stmpy
