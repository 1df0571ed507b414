// What is seen from outside of transactions, and in unrecorded(): there what the transaction holds as it is.

#include <new>

#include "runtime/core/outside.h"
#include "runtime/python/collections/committed_view.h"
#include "runtime/python/collections/keyed_entries.h"

namespace stmpy {
namespace {

bool is_own(const Thread& thread, const Entry& entry) {
  return thread.in_transaction() && entry.cell.record.held_by(thread.descriptor) != core::Mode::None;
}

struct Candidate {
  Ref key, value;
};
// An entry that had no committed value, and the version of its record then.
struct Absent {
  const Entry* entry;
  std::uint64_t version;
};

// Key and value of one moment, counted; both null where there was no value, or the entry is of another hash.
void read(const Thread& thread, const core::Observer& observer, const Entry& entry, Py_hash_t hash,
          Candidate& candidate, std::uint64_t& version) {
  const auto counted = [&](const core::Slot& slot) {
    return Ref::borrow(static_cast<PyObject*>(core::committed_value(observer, entry.cell.record, slot)));
  };
  if (is_own(thread, entry)) {
    candidate = {Ref::borrow(entry.peek_key()), Ref::borrow(entry.cell.peek())};
    version = entry.cell.record.view().version;
    return;
  }
  for (;;) {
    version = entry.cell.record.view().version;
    if (entry.hash.load(std::memory_order_relaxed) != hash) return;
    // What is let go here is still in its place, or in limbo, while we observe: no code runs.
    Ref value = counted(entry.cell.value);
    Ref key = value ? counted(entry.key) : Ref();
    // Within one version a commit may come in between, which takes both away: then it is looked at again.
    if ((key || !value) && entry.cell.record.view().version == version) {
      candidate = {std::move(key), std::move(value)};
      return;
    }
  }
}

// One walk. False: what it did not find may have been there all the time.
bool collect(Thread& thread, const EntryTable& table, const Key& key, std::vector<Candidate>& candidates) {
  std::vector<Absent> absent;
  const std::uint64_t links = table.links();
  const core::Observer observer(thread.descriptor);
  bool same = false;
  table.walk(key.hash, [&](const Entry& entry) {
    Candidate candidate;
    std::uint64_t version;
    read(thread, observer, entry, key.hash, candidate, version);
    if (!candidate.value) {
      absent.push_back({&entry, version});
      return false;
    }
    same = candidate.key.get() == key.object;
    candidates.push_back(std::move(candidate));
    return same;
  });
  if (same) return true;
  // A key that is taken away and comes back in one transaction has two entries. If all of them had no value
  // twice, and did not change in between, then there was a moment at which none of them had.
  for (const Absent& seen : absent) {
    Candidate candidate;
    std::uint64_t version;
    read(thread, observer, *seen.entry, key.hash, candidate, version);
    if (candidate.value || version != seen.version) {
      candidates.push_back(std::move(candidate));  // let go by the caller
      return false;
    }
  }
  return table.links() == links;
}

}  // namespace

bool find_committed(Thread& thread, PyObject* self, const Key& key, Ref& value) {
  const EntryTable& table = *keyed(self).table;
  std::vector<Candidate> candidates;
  for (;;) {
    candidates.clear();
    const bool sure = collect(thread, table, key, candidates);
    core::Observer::empty_limbo();
    for (Candidate& candidate : candidates) {
      if (!candidate.key) continue;
      const int equal = candidate.key.get() == key.object
                            ? 1
                            : PyObject_RichCompareBool(candidate.key.get(), key.object, Py_EQ);
      if (equal < 0) return false;
      if (!equal) continue;
      value = std::move(candidate.value);
      return true;
    }
    if (sure) return true;
  }
}

bool collect_committed(Thread& thread, PyObject* self, std::vector<Item>& items) {
  const EntryTable& table = *keyed(self).table;
  items.clear();
  const std::uint64_t links = table.links();
  CommittedView view(thread, table.count());
  bool done = true;
  table.for_each([&](const Entry& entry) {
    if (is_own(thread, entry)) {
      if (entry.cell.peek())
        items.push_back(
            {Ref::borrow(entry.peek_key()), Ref::borrow(entry.cell.peek()), entry.place(), &entry});
      return true;
    }
    Ref value = Ref::steal(view.read(entry.cell));
    if (!value) return true;
    items.push_back({Ref::steal(view.read_also(entry.key)), std::move(value), entry.place(), &entry});
    // Without one of them a commit is just being made.
    done = done && items.back().key && items.back().place.first != Entry::kNotCommitted;
    if (!items.back().key) items.pop_back();
    return true;
  });
  return done && view.still_so() && table.links() == links;
}

}  // namespace stmpy
