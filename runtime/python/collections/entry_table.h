// Where the entries of a dict or a set are found, and the records that stand for keys without one.
//
// An entry is a key with its value, and has a record of its own: transactions that use different keys meet in
// nothing. It is linked into the table before its transaction commits, without a value; a key is there where
// an entry of it has one. An entry that has lost its value never gets another one: a key that comes back gets
// a new entry, behind all others. What all this leaves behind is swept when the table is rebuilt.
//
// What a key's absence means is held in a *stripe*: a record that all keys share whose hashes begin with the
// same bits. Who has found a key absent holds it to read, who inserts one to add (insertions do not get in
// each other's way: that of an equal key meets the entry).
//
// The table itself is no part of any transaction. Threads walk it without a lock, and find out afterwards
// that it was rebuilt meanwhile; what they walk stays where it is for the life of the object. A walk says
// which entries may be of a key, and whoever holds one of them looks again.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "runtime/python/layout.h"

namespace stmpy {

struct Entry {
  Cell cell;  // the value; null: its key is not there. Never raised from null but by who made it
  core::Slot key{nullptr};  // a strong reference, under the cell's record as the value is
  // Changed by who makes an entry for a key, and owns the cell.
  std::atomic<Py_hash_t> hash{0};
  std::atomic<std::uint64_t> stamp{0};   // of the commit that inserted it, or kNotCommitted
  std::atomic<std::uint64_t> number{0};  // in the order of insertion, among those of one stamp

  static constexpr std::uint64_t kNotCommitted = ~std::uint64_t{0};
  // In the order of insertion.
  using Place = std::pair<std::uint64_t, std::uint64_t>;
  Place place() const {
    return {stamp.load(std::memory_order_relaxed), number.load(std::memory_order_relaxed)};
  }

  PyObject* peek_key() const { return static_cast<PyObject*>(key.load(std::memory_order_relaxed)); }
  // Nobody changes it, and it has no value: it never has one again as what it is. False in doubt.
  bool is_dead() const {
    const core::Record::View before = cell.record.view();
    return !before.writer && !cell.value.load(core::kAcquire) && cell.record.view() == before;
  }
};

// Nobody holds it in any mode.
inline bool is_free(const Entry& entry) {
  return !(entry.cell.record.bits() & (core::Record::kFat | core::Record::kModeMask));
}

struct Stripes {
  int bits;
  core::Record records[1];  // 2 ** bits

  std::size_t count() const { return std::size_t{1} << bits; }
};

class EntryTable {
 public:
  EntryTable();  // std::bad_alloc
  ~EntryTable();
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;

  // Visits the linked entries of that hash, until one says true; some of them twice where the table is
  // rebuilt meanwhile. Entries that are linked meanwhile may be left out.
  template <class Visit>
  void walk(Py_hash_t hash, Visit visit) const {
    for (;;) {
      const std::uint64_t version = version_.load(core::kAcquire);
      const Slots& slots = *slots_.load(core::kAcquire);
      for (std::size_t index = place(hash, slots.bits);; ++index) {
        Entry* const entry = slots.at[index & slots.mask()].load(core::kAcquire);
        if (!entry) break;
        if (entry->hash.load(std::memory_order_relaxed) == hash && visit(*entry)) return;
      }
      if constexpr (!core::kSerialized) std::atomic_thread_fence(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) == version) return;
    }
  }
  // Visits all entries there have ever been, linked or not, in the order in which they were made; until one
  // says false.
  template <class Visit>
  void for_each(Visit visit) const {
    std::size_t left = made_.load(core::kAcquire);
    for (Chunk* chunk = first_chunk_;; chunk = chunk->next) {
      for (std::size_t index = 0; index < chunk->size && left > 0; ++index, --left) {
        if (!visit(chunk->entries[index])) return;
      }
      if (left == 0) return;  // the one behind it may be about to be made
    }
  }
  std::size_t count() const { return made_.load(core::kAcquire); }
  // Grows with each entry that is linked.
  std::uint64_t links() const { return links_.load(core::kAcquire); }

  // An entry that nobody uses. std::bad_alloc.
  Entry& take();
  // One that was taken and not linked.
  void give_back(Entry& entry);
  // Links a taken entry, whose key is there, unless there is another one of the same hash which may come to
  // have the same key and is not in `known`. std::bad_alloc with nothing changed.
  bool link(Entry& entry, const std::vector<Entry*>& known);

  // A linked entry for which `visit` says true, from anywhere on; null if it says so for none. Entries that
  // are linked meanwhile may be left out.
  template <class Visit>
  Entry* find_any(Visit visit) {
    const Slots& slots = *slots_.load(core::kAcquire);
    const std::size_t start = found_last_.load(std::memory_order_relaxed);
    for (std::size_t index = start; index <= start + slots.mask(); ++index) {
      Entry* const entry = slots.at[index & slots.mask()].load(core::kAcquire);
      if (!entry || !visit(*entry)) continue;
      found_last_.store(index & slots.mask(), std::memory_order_relaxed);
      return entry;
    }
    return nullptr;
  }

  // The stripes of now: whoever has got one looks whether it is still one of these.
  Stripes& stripes() const { return *stripes_.load(core::kAcquire); }
  static core::Record& stripe_of(Stripes& stripes, Py_hash_t hash) {
    return stripes.records[place(hash, stripes.bits)];
  }

  bool is_stripe(const core::Record* record) const;
  // There are more keys by far than stripes, and this is a good moment to try to have more.
  bool wants_more_stripes() const;
  // Others, which live as long as the table; from replace_stripes() on, whose caller owns all of the old
  // ones, they are the stripes. std::bad_alloc.
  Stripes& make_stripes(int bits);
  void replace_stripes(Stripes& stripes) { stripes_.store(&stripes, core::kRelease); }

  std::size_t memory() const;

 private:
  struct Slots {
    int bits;
    std::atomic<Entry*> at[1];  // 2 ** bits
    std::size_t mask() const { return (std::size_t{1} << bits) - 1; }
  };
  struct Chunk {
    std::size_t size;
    Chunk* next;
    Entry entries[1];  // as many as `size`
  };

  // Hashes of integers are not spread; multiplied by the golden ratio their upper bits are.
  static std::size_t place(Py_hash_t hash, int bits) {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(hash) * 0x9E3779B97F4A7C15u >> (64 - bits));
  }
  static Slots* make_slots(int bits);
  static Chunk* make_chunk(std::size_t size);
  Slots& slots_for(int bits);
  void rebuild();
  void free_all();
  static void put(Slots& slots, Entry& entry);

  std::atomic<Slots*> slots_{nullptr};
  std::atomic<std::uint64_t> version_{0};
  std::atomic<Stripes*> stripes_{nullptr};
  std::atomic<std::uint64_t> links_{0};
  std::atomic<std::size_t> made_{0};
  std::atomic<std::size_t> found_last_{0};
  Chunk* first_chunk_ = nullptr;

  // --- under the lock, which is held while nobody's code runs
  mutable core::SpinLock lock_;
  std::size_t linked_ = 0;
  Chunk* last_chunk_ = nullptr;
  std::size_t left_in_chunk_ = 0;
  std::vector<Entry*> unused_;  // were linked, or were given back; somebody may still be about to ask for one
  std::vector<Slots*> all_slots_;
  std::vector<Stripes*> all_stripes_;
};

}  // namespace stmpy
