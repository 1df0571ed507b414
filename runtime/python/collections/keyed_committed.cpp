// What threads outside of transactions see of an entry.

#include <new>

#include "runtime/core/outside.h"
#include "runtime/python/collections/keyed_entries.h"

namespace stmpy {
namespace {

struct Candidate {
  Ref key, value;
};
// An entry that had no committed value, and the version of its record then.
struct Absent {
  const Entry* entry;
  std::uint64_t version;
};

// Key and value of one moment, counted; both null where there was no value. The references that were there
// before are the caller's, so that nothing is let go while it observes.
void read_committed(const core::Observer& observer, const Entry& entry, Py_hash_t hash, Candidate& candidate,
                    std::uint64_t& version) {
  const auto counted = [&](const core::Slot& slot) {
    return Ref::borrow(static_cast<PyObject*>(core::committed_value(observer, entry.cell.record, slot)));
  };
  for (;;) {
    version = entry.cell.record.view().version;
    if (entry.hash.load(std::memory_order_relaxed) != hash) return;  // made into another key's
    Ref value = counted(entry.cell.value);
    Ref key = value ? counted(entry.key) : Ref();
    // Within one version a commit may come in between, which takes both away: then it is looked at again.
    if ((key || !value) && entry.cell.record.view().version == version) {
      candidate.key = std::move(key);
      candidate.value = std::move(value);
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
    read_committed(observer, entry, key.hash, candidate, version);
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
    read_committed(observer, *seen.entry, key.hash, candidate, version);
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

}  // namespace stmpy
