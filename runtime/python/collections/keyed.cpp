#include "runtime/python/collections/keyed.h"

#include <new>

#include "runtime/python/collections/keyed_entries.h"

namespace stmpy {
namespace {

using core::Mode;

// The order among keys that one transaction inserts: only one thread does.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t insertions = 0;

constexpr std::uint64_t kNotCommitted = ~std::uint64_t{0};

void set_place(void* entry, void*, std::int64_t, std::uint64_t stamp) {
  static_cast<Entry*>(entry)->stamp.store(stamp, std::memory_order_relaxed);
}
constexpr core::Effect kPlace{set_place};

// An entry that is being made. What nobody has linked is given back.
class NewEntry {
 public:
  explicit NewEntry(EntryTable& table) : table_(table) {}
  ~NewEntry() {
    if (entry_ && !linked_) table_.give_back(*entry_);
  }
  NewEntry(const NewEntry&) = delete;
  NewEntry& operator=(const NewEntry&) = delete;

  // Links an entry for the key, owned and without a value.
  Done link(Thread& thread, PyObject* self, const Key& key, const std::vector<Entry*>& known) {
    if (linked_) return Done::Yes;
    if (!made_) {
      if (const Done done = make(thread, self, key); done != Done::Yes) return done;
    }
    linked_ = table_.link(*entry_, known);
    return linked_ ? Done::Yes : Done::Again;
  }
  Entry& operator*() { return *entry_; }

 private:
  Done make(Thread& thread, PyObject* self, const Key& key) {
    if (!entry_) entry_ = &table_.take();
    if (const Done done = own_cell(thread, self, entry_->cell); done != Done::Yes) return done;
    core::reserve_entry(thread.descriptor);
    core::log_slot(thread.descriptor, entry_->cell.record, self, entry_->key, entry_->peek_key(), false);
    entry_->key.store(Py_NewRef(key.object), core::kRelease);
    entry_->hash.store(key.hash, std::memory_order_relaxed);
    entry_->stamp.store(kNotCommitted, std::memory_order_relaxed);
    entry_->number.store(++insertions, std::memory_order_relaxed);
    made_ = true;
    return Done::Yes;
  }

  EntryTable& table_;
  Entry* entry_ = nullptr;
  bool made_ = false, linked_ = false;
};

// Makes it an error of Python's where memory ends.
template <class Step>
Done guarded(Step step) {
  try {
    return step();
  } catch (const std::bad_alloc&) {
    return fail_for_memory();
  }
}

Done insert(Thread& thread, PyObject* self, const Key& key, PyObject* value, const std::vector<Entry*>& known,
            NewEntry& made) {
  if (const Done done = made.link(thread, self, key, known); done != Done::Yes) return done;
  core::defer(thread.descriptor, kPlace, &*made, nullptr, 0);
  if (const Done done = keyed(self).size.add(thread, self, 1); done != Done::Yes) return done;
  (*made).cell.value.store(Py_NewRef(value), core::kRelease);
  return Done::Yes;
}

// Sets the value of an entry that may be the key's. `done_it`: it was.
Done replace(Thread& thread, PyObject* self, Entry& entry, const Key& key, PyObject* value, bool& done_it) {
  Ownership ownership;
  const Done done = own_cell_unlogged(thread, self, entry.cell, ownership);
  if (done != Done::Yes) return done;
  PyObject* replaced = entry.cell.peek();
  done_it = replaced && has_key(entry, key);
  if (ownership.log) {  // the log takes over the cell's reference
    if (!done_it) Py_XINCREF(replaced);
    log_cell(thread, self, entry.cell, replaced, ownership);
    replaced = nullptr;
  }
  if (!done_it) return Done::Yes;
  entry.cell.value.store(Py_NewRef(value), core::kRelease);
  Py_XDECREF(replaced);
  return Done::Yes;
}

Done take_entry(Thread& thread, PyObject* self, Item& taken, bool first) {
  std::vector<Entry*> entries;
  if (const Done done = hold_all(thread, self, entries); done != Done::Yes) return done;
  if (entries.empty()) return Done::Yes;
  return empty_entry(thread, self, first ? *entries.front() : *entries.back(), taken);
}

}  // namespace

Done fail_for_memory() {
  PyErr_NoMemory();
  return Done::Failed;
}

Done get(Thread& thread, PyObject* self, const Key& key, Ref& value) {
  return guarded([&] {
    std::vector<Entry*> known;
    Entry* found;
    const Done done = find_entry(thread, self, key, Mode::Read, Mode::Read, known, found);
    if (done == Done::Yes) value = Ref::borrow(found ? found->cell.peek() : nullptr);
    return done;
  });
}

Done put(Thread& thread, PyObject* self, const Key& key, PyObject* value, bool keep, Ref& present) {
  EntryTable& table = *keyed(self).table;
  if (Entry* const likely = keep ? nullptr : likely_entry(table, key)) {
    bool done_it = false;
    if (const Done done = replace(thread, self, *likely, key, value, done_it); done != Done::Yes || done_it)
      return done;
  }
  NewEntry made(table);
  return until_done([&] {
    return guarded([&] {
      std::vector<Entry*> known;
      Entry* found;
      if (const Done done =
              find_entry(thread, self, key, keep ? Mode::Read : Mode::Update, Mode::Add, known, found);
          done != Done::Yes)
        return done;
      if (!found) return insert(thread, self, key, value, known, made);
      if (keep) {
        present = Ref::borrow(found->cell.peek());
        return Done::Yes;
      }
      bool done_it;
      return replace(thread, self, *found, {found->peek_key(), key.hash}, value, done_it);
    });
  });
}

Done take(Thread& thread, PyObject* self, const Key& key, Item& taken) {
  return guarded([&] {
    std::vector<Entry*> known;
    Entry* found;
    const Done done = find_entry(thread, self, key, Mode::Update, Mode::Read, known, found);
    return done == Done::Yes && found ? empty_entry(thread, self, *found, taken) : done;
  });
}

Done get_all(Thread& thread, PyObject* self, std::vector<Item>& items) {
  return guarded([&] {
    items.clear();
    std::vector<Entry*> entries;
    if (const Done done = hold_all(thread, self, entries); done != Done::Yes) return done;
    items.reserve(entries.size());
    for (const Entry* entry : entries)
      items.push_back({Ref::borrow(entry->peek_key()), Ref::borrow(entry->cell.peek()), entry});
    return Done::Yes;
  });
}

Done take_all(Thread& thread, PyObject* self, std::vector<Item>& items) {
  return guarded([&] {
    items.clear();
    std::vector<Entry*> entries;
    if (const Done done = hold_all(thread, self, entries); done != Done::Yes) return done;
    items.resize(entries.size());
    for (Entry* entry : entries) {
      if (const Done done = own_cell(thread, self, entry->cell); done != Done::Yes) return done;
    }
    for (std::size_t index = 0; index < entries.size(); ++index) {
      if (const Done done = empty_entry(thread, self, *entries[index], items[index]); done != Done::Yes)
        return done;
    }
    return Done::Yes;
  });
}

Done take_first(Thread& thread, PyObject* self, Item& taken) {
  return guarded([&] { return take_entry(thread, self, taken, true); });
}

Done take_last(Thread& thread, PyObject* self, Item& taken) {
  return guarded([&] { return take_entry(thread, self, taken, false); });
}

bool look_up(Thread& thread, PyObject* self, const Key& key, Ref& value) {
  if (!thread.in_transaction()) {
    try {
      return find_committed(thread, self, key, value);
    } catch (const std::bad_alloc&) {
      fail_for_memory();
      return false;
    }
  }
  if (Entry* const likely = likely_entry(*keyed(self).table, key)) {
    PyObject* seen = nullptr;
    const Done done = read_cell_fast(thread, self, likely->cell, seen);
    if (done == Done::Failed) return false;
    if (done == Done::Yes) {
      value = Ref::steal(seen);
      if (seen && has_key(*likely, key)) return true;
      value = Ref();
    }
  }
  return until_done([&] { return get(thread, self, key, value); }) == Done::Yes;
}

Py_ssize_t size_of(PyObject* self) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  Tally& size = keyed(self).size;
  Number sum = size.committed();
  if (thread->in_transaction() && until_done([&] { return size.read(*thread, self, sum); }) != Done::Yes)
    return -1;
  return static_cast<Py_ssize_t>(sum);
}

bool items_of(PyObject* self, std::vector<Item>& items) {
  Thread* thread = this_thread();
  return thread && in_one_transaction(*thread, [&] { return get_all(*thread, self, items); });
}

// --- life and death

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
  const Stripes& stripes = table.stripes();
  if (record >= stripes.records && record < stripes.records + stripes.count())
    return Ref::steal(PyUnicode_FromString("absent keys"));
  const Entry* of = nullptr;
  table.for_each([&](const Entry& entry) {
    if (&entry.cell.record == record) of = &entry;
    return !of;
  });
  if (!of) return Ref();
  Thread* thread = this_thread();
  if (!thread) return Ref();
  // What others have not committed may be gone any moment.
  const bool own = record->held_by(thread->descriptor) != Mode::None;
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
