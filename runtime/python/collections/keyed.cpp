#include "runtime/python/collections/keyed.h"

#include <algorithm>
#include <new>

#include "runtime/python/collections/keyed_entries.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

using core::Mode;

// The order among keys that one transaction inserts: only one thread does.
[[gnu::tls_model("initial-exec")]] constinit thread_local std::uint64_t insertions = 0;

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
    entry_->stamp.store(Entry::kNotCommitted, std::memory_order_relaxed);
    entry_->number.store(++insertions, std::memory_order_relaxed);
    made_ = true;
    return Done::Yes;
  }

  EntryTable& table_;
  Entry* entry_ = nullptr;
  bool made_ = false, linked_ = false;
};

Done insert(Thread& thread, PyObject* self, const Key& key, PyObject* value, const std::vector<Entry*>& known,
            NewEntry& made) {
  if (const Done done = made.link(thread, self, key, known); done != Done::Yes) return done;
  core::defer(thread.descriptor, kPlace, &*made, nullptr, 0);
  if (const Done done = keyed(self).size.add(thread, self, 1); done != Done::Yes) return done;
  (*made).cell.value.store(Py_NewRef(value), core::kRelease);
  if (keyed(self).table->wants_more_stripes()) add_stripes(thread, self);
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

}  // namespace

Done get(Thread& thread, PyObject* self, const Key& key, Ref& value) {
  std::vector<Entry*> known;
  Entry* found;
  const Done done = find_entry(thread, self, key, Mode::Read, Mode::Read, known, found);
  if (done == Done::Yes) value = Ref::borrow(found ? found->cell.peek() : nullptr);
  return done;
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
}

Done take(Thread& thread, PyObject* self, const Key& key, Item& taken) {
  std::vector<Entry*> known;
  Entry* found;
  const Done done = find_entry(thread, self, key, Mode::Update, Mode::Read, known, found);
  return done == Done::Yes && found ? empty_entry(thread, self, *found, taken) : done;
}

Done get_all(Thread& thread, PyObject* self, std::vector<Item>& items) {
  items.clear();
  std::vector<Entry*> entries;
  if (const Done done = hold_all(thread, self, entries); done != Done::Yes) return done;
  items.reserve(entries.size());
  for (const Entry* entry : entries)
    items.push_back({Ref::borrow(entry->peek_key()), Ref::borrow(entry->cell.peek()), entry->place(), entry});
  return Done::Yes;
}

Done take_all(Thread& thread, PyObject* self, std::vector<Item>& items) {
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
}

Done take_last(Thread& thread, PyObject* self, Item& taken) {
  std::vector<Entry*> entries;
  const Done done = hold_all(thread, self, entries);
  if (done != Done::Yes || entries.empty()) return done;
  const auto before = [](const Entry* a, const Entry* b) { return a->place() < b->place(); };
  return empty_entry(thread, self, **std::max_element(entries.begin(), entries.end(), before), taken);
}

Done take_any(Thread& thread, PyObject* self, Item& taken) {
  EntryTable& table = *keyed(self).table;
  const auto is_there = [](const Entry& entry) { return entry.cell.peek() != nullptr; };
  Entry* found = table.find_any([&](const Entry& entry) {
    const core::Record& record = entry.cell.record;
    return is_there(entry) && (is_free(entry) || core::holds(thread.descriptor, record));
  });
  if (!found) found = table.find_any(is_there);  // others use all of them
  if (!found) {
    // What is not to be seen may come back, or be there in a moment.
    std::vector<Entry*> entries;
    const Done done = hold_all(thread, self, entries);
    if (done != Done::Yes || entries.empty()) return done;
    found = entries.front();
  }
  if (const Done done = own_cell(thread, self, found->cell); done != Done::Yes) return done;
  return is_there(*found) ? empty_entry(thread, self, *found, taken) : Done::Again;
}

bool look_up(Thread& thread, PyObject* self, const Key& key, Ref& value) {
  if (thread.in_transaction()) {
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
    if (!is_unrecorded(thread)) return until_done([&] { return get(thread, self, key, value); }) == Done::Yes;
  }
  return find_committed(thread, self, key, value);
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

namespace {

// Without waiting if nobody changes it without pause, and in unrecorded() in any case. False with an
// exception, or where it has to be held to be looked at.
bool look_at_all(Thread& thread, PyObject* self, std::vector<Item>& items) {
  constexpr int kLooks = 4, kLooksUnrecorded = 1000;
  const bool unrecorded = is_unrecorded(thread);
  if (thread.in_transaction() && !unrecorded) return false;
  for (int look = 0; look < (unrecorded ? kLooksUnrecorded : kLooks); ++look) {
    const bool done = collect_committed(thread, self, items);
    core::Observer::empty_limbo();
    if (done) return true;
  }
  return unrecorded;
}

}  // namespace

bool items_of(PyObject* self, std::vector<Item>& items) try {
  Thread* thread = this_thread();
  if (!thread) return false;
  if (!look_at_all(*thread, self, items) &&
      !in_one_transaction(*thread, [&] { return get_all(*thread, self, items); }))
    return false;
  const auto before = [](const Item& a, const Item& b) { return a.place < b.place; };
  if (!std::is_sorted(items.begin(), items.end(), before)) std::sort(items.begin(), items.end(), before);
  return true;
} catch (const std::bad_alloc&) {
  raise_no_memory();
  return false;
}

}  // namespace stmpy
