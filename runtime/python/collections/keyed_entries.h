// The steps from a key to its entry.
#pragma once

#include "runtime/python/collections/keyed.h"

namespace stmpy {

// The entry of a key, held in `entry_mode` (Read or Update) and with a value. Null where the key is absent,
// and its stripe is held in `stripe_mode` (Read or Add): `known` are then all entries of this hash which are
// of other keys or of none.
Done find_entry(Thread& thread, PyObject* self, const Key& key, core::Mode entry_mode, core::Mode stripe_mode,
                std::vector<Entry*>& known, Entry*& found);

// The entry where the very same object is the key, if it is easily found. Nothing holds it: whoever does
// looks whether it still is.
inline Entry* likely_entry(const EntryTable& table, const Key& key) {
  Entry* likely = nullptr;
  table.walk(key.hash, [&](Entry& entry) {
    if (entry.peek_key() != key.object) return false;
    likely = &entry;
    return true;
  });
  return likely;
}
inline bool has_key(const Entry& entry, const Key& key) {
  return entry.peek_key() == key.object && entry.hash.load(std::memory_order_relaxed) == key.hash;
}

// The entries that have a value, all of them and all stripes held to read.
Done hold_all(Thread& thread, PyObject* self, std::vector<Entry*>& entries);

// Takes value and key out of an entry that has both and is held.
Done empty_entry(Thread& thread, PyObject* self, Entry& entry, Item& taken);

// In a transaction: has more stripes from now on if nobody but it uses one. Never waits, and runs no code of
// the user's.
void add_stripes(Thread& thread, PyObject* self);

// Outside of transactions, or in unrecorded(): the committed value, or null. False with an exception.
bool find_committed(Thread& thread, PyObject* self, const Key& key, Ref& value);
// The same for all there is, in any order. False: it was changed meanwhile, and `items` may be of several
// moments.
bool collect_committed(Thread& thread, PyObject* self, std::vector<Item>& items);

}  // namespace stmpy
