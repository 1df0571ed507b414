#include "runtime/python/collections/keyed_entries.h"

#include <algorithm>
#include <new>

#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

using core::Mode;

Done fail_unrecorded() {
  raise_unrecorded("this cannot be done");
  return Done::Failed;
}

Done hold(Thread& thread, PyObject* self, Entry& entry, Mode mode) {
  const Done done = mode == Mode::Update ? read_cell_for_update(thread, self, entry.cell)
                                         : hold_cell(thread, self, entry.cell);
  return done == Done::Unheld ? fail_unrecorded() : done;  // code that ran since the beginning has entered it
}

Done hold_record(Thread& thread, PyObject* self, core::Record& record, Mode mode) {
  if (mode == Mode::Read && core::holds(thread.descriptor, record)) return Done::Yes;
  core::Outcome outcome;
  return request(thread, self, record, core::mode_for(thread.descriptor, record, mode), outcome);
}

bool contains(const std::vector<Entry*>& entries, const Entry* entry) {
  return std::find(entries.begin(), entries.end(), entry) != entries.end();
}

// Compares a held entry with the key. Any code may run. Yes: `equal`, or it is another key's or nobody's.
Done compare(const Entry& entry, const Key& key, bool& equal) {
  equal = false;
  if (!entry.cell.peek() || entry.hash.load(std::memory_order_relaxed) != key.hash) return Done::Yes;
  const Ref stored = Ref::borrow(entry.peek_key());
  const int answer =
      stored.get() == key.object ? 1 : PyObject_RichCompareBool(stored.get(), key.object, Py_EQ);
  if (answer < 0) return Done::Failed;
  // __eq__ may have taken it away.
  if (entry.peek_key() != stored.get() || !entry.cell.peek()) return Done::Again;
  equal = answer > 0;
  return Done::Yes;
}

}  // namespace

Done find_entry(Thread& thread, PyObject* self, const Key& key, Mode entry_mode, Mode stripe_mode,
                std::vector<Entry*>& known, Entry*& found) {
  if (is_unrecorded(thread)) return fail_unrecorded();
  const EntryTable& table = *keyed(self).table;
  found = nullptr;
  known.clear();
  std::vector<Entry*> candidates;
  for (const Stripes* held = nullptr;;) {
    candidates.clear();
    table.walk(key.hash, [&](Entry& entry) {
      if (!contains(known, &entry) && !contains(candidates, &entry) && !entry.is_dead())
        candidates.push_back(&entry);
      return false;
    });
    for (Entry* candidate : candidates) {
      // Held before it is compared: no __eq__ meets a key that is not committed.
      if (const Done done = hold(thread, self, *candidate, entry_mode); done != Done::Yes) return done;
      bool equal;
      if (const Done done = compare(*candidate, key, equal); done != Done::Yes) return done;
      if (equal) {
        found = candidate;
        return Done::Yes;
      }
      known.push_back(candidate);
    }
    if (!candidates.empty()) continue;
    // Nothing new was found since the stripe is held: now nobody inserts the key.
    Stripes& stripes = table.stripes();
    if (held == &stripes) return Done::Yes;
    core::Record& stripe = EntryTable::stripe_of(stripes, key.hash);
    if (const Done done = hold_record(thread, self, stripe, stripe_mode); done != Done::Yes) return done;
    held = &stripes;
  }
}

Done hold_all(Thread& thread, PyObject* self, std::vector<Entry*>& entries) {
  if (is_unrecorded(thread)) return fail_unrecorded();
  const EntryTable& table = *keyed(self).table;
  entries.clear();
  Stripes& stripes = table.stripes();
  for (std::size_t index = 0; index < stripes.count(); ++index) {
    if (const Done done = hold_record(thread, self, stripes.records[index], Mode::Read); done != Done::Yes)
      return done;
  }
  if (&stripes != &table.stripes()) return Done::Again;
  Done done = Done::Yes;
  table.for_each([&](Entry& entry) {
    if (entry.is_dead()) return true;
    done = hold(thread, self, entry, Mode::Read);
    if (done != Done::Yes) return false;
    if (entry.cell.peek()) entries.push_back(&entry);
    return true;
  });
  return done;
}

Done empty_entry(Thread& thread, PyObject* self, Entry& entry, Item& taken) {
  if (const Done done = own_cell(thread, self, entry.cell); done != Done::Yes) return done;
  Tally& size = keyed(self).size;
  if (const Done done = hold_record(thread, self, size.record, Mode::Add); done != Done::Yes) return done;
  core::reserve_entry(thread.descriptor);
  // Held already: it does not wait, and no code runs any more.
  if (const Done done = size.add(thread, self, -1); done != Done::Yes) return done;
  PyObject* const key = entry.peek_key();
  taken.key = Ref::borrow(key);
  core::log_slot(thread.descriptor, entry.cell.record, self, entry.key, key, false);
  entry.key.store(nullptr, core::kRelease);
  taken.value = Ref::steal(exchange_value(entry.cell, nullptr));
  return Done::Yes;
}

}  // namespace stmpy
