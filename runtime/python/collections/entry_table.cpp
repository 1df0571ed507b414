#include "runtime/python/collections/entry_table.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>

namespace stmpy {
namespace {

constexpr int kFirstBits = 3;
constexpr int kStripeBits = 5;

// A header with `count` of what it ends with, all of them zero or made by `Item`'s constructor.
template <class Header, class Item>
Header* allocate(std::size_t count) {
  void* const memory = std::calloc(1, sizeof(Header) + (count - 1) * sizeof(Item));
  if (!memory) throw std::bad_alloc();
  return static_cast<Header*>(memory);
}

}  // namespace

EntryTable::Slots* EntryTable::make_slots(int bits) {
  Slots* const slots = allocate<Slots, std::atomic<Entry*>>(std::size_t{1} << bits);
  slots->bits = bits;
  for (std::size_t index = 0; index <= slots->mask(); ++index)
    new (&slots->at[index]) std::atomic<Entry*>(nullptr);
  return slots;
}

EntryTable::Chunk* EntryTable::make_chunk(std::size_t size) {
  Chunk* const chunk = allocate<Chunk, Entry>(size);
  chunk->size = size;
  for (std::size_t index = 0; index < size; ++index) new (&chunk->entries[index]) Entry;
  return chunk;
}

Stripes& EntryTable::make_stripes(int bits) {
  const std::lock_guard guard(lock_);
  all_stripes_.reserve(all_stripes_.size() + 1);
  Stripes* const stripes = allocate<Stripes, core::Record>(std::size_t{1} << bits);
  stripes->bits = bits;
  for (std::size_t index = 0; index < stripes->count(); ++index) new (&stripes->records[index]) core::Record;
  all_stripes_.push_back(stripes);
  return *stripes;
}

EntryTable::EntryTable() {
  try {
    stripes_.store(&make_stripes(kStripeBits));
    slots_.store(&slots_for(kFirstBits));
    first_chunk_ = last_chunk_ = make_chunk(std::size_t{1} << kFirstBits);
    left_in_chunk_ = first_chunk_->size;
  } catch (...) {
    free_all();
    throw;
  }
}

EntryTable::~EntryTable() { free_all(); }

void EntryTable::free_all() {
  for (Slots* slots : all_slots_) std::free(slots);
  for (Chunk* chunk = first_chunk_; chunk;) std::free(std::exchange(chunk, chunk->next));
  for (Stripes* stripes : all_stripes_) std::free(stripes);
}

Entry& EntryTable::take() {
  const std::lock_guard guard(lock_);
  // A few looks: who keeps one from being used holds it for as long as a transaction lasts.
  for (std::size_t look = 0; look < std::min<std::size_t>(unused_.size(), 4); ++look) {
    Entry*& seen = unused_[unused_.size() - 1 - look];
    if (!is_free(*seen)) continue;
    Entry& entry = *std::exchange(seen, unused_.back());
    unused_.pop_back();
    return entry;
  }
  if (left_in_chunk_ == 0) {
    Chunk* const chunk = make_chunk(last_chunk_->size * 2);
    last_chunk_->next = chunk;
    last_chunk_ = chunk;
    left_in_chunk_ = chunk->size;
  }
  Entry& entry = last_chunk_->entries[last_chunk_->size - left_in_chunk_--];
  made_.store(made_.load(std::memory_order_relaxed) + 1, core::kRelease);
  return entry;
}

void EntryTable::give_back(Entry& entry) {
  const std::lock_guard guard(lock_);
  try {
    unused_.push_back(&entry);
  } catch (const std::bad_alloc&) {
    // Not used again before the object dies.
  }
}

void EntryTable::put(Slots& slots, Entry& entry) {
  std::size_t index = place(entry.hash.load(std::memory_order_relaxed), slots.bits);
  while (slots.at[index & slots.mask()].load(std::memory_order_relaxed)) ++index;
  slots.at[index & slots.mask()].store(&entry, core::kRelease);
}

bool EntryTable::link(Entry& entry, const std::vector<Entry*>& known) {
  const std::lock_guard guard(lock_);
  bool alone = true;
  walk(entry.hash.load(std::memory_order_relaxed), [&](Entry& other) {
    alone = other.is_dead() || std::find(known.begin(), known.end(), &other) != known.end();
    return !alone;
  });
  if (!alone) return false;
  const Slots& slots = *slots_.load(std::memory_order_relaxed);
  if ((linked_ + 1) * 3 > (slots.mask() + 1) * 2) rebuild();
  put(*slots_.load(std::memory_order_relaxed), entry);
  ++linked_;
  links_.store(links_.load(std::memory_order_relaxed) + 1, core::kRelease);
  return true;
}

// Slots of that size which are not the current ones.
EntryTable::Slots& EntryTable::slots_for(int bits) {
  for (Slots* slots : all_slots_) {
    if (slots->bits == bits && slots != slots_.load(std::memory_order_relaxed)) return *slots;
  }
  all_slots_.reserve(all_slots_.size() + 1);
  all_slots_.push_back(make_slots(bits));
  return *all_slots_.back();
}

// Leaves out what is dead, and makes room.
void EntryTable::rebuild() {
  const Slots& old = *slots_.load(std::memory_order_relaxed);
  std::vector<Entry*> alive, dead;
  for (std::size_t index = 0; index <= old.mask(); ++index) {
    Entry* const entry = old.at[index].load(std::memory_order_relaxed);
    if (entry) (entry->is_dead() ? dead : alive).push_back(entry);
  }
  unused_.reserve(unused_.size() + dead.size());
  int bits = kFirstBits;
  while ((alive.size() + 1) * 2 > std::size_t{1} << bits) ++bits;
  Slots& made = slots_for(bits);
  // Whoever still walks these slots, from when they were the current ones, learns it behind the walk.
  version_.fetch_add(1, core::kSerialized ? std::memory_order_relaxed : std::memory_order_seq_cst);
  if constexpr (!core::kSerialized) std::atomic_thread_fence(std::memory_order_release);
  for (std::size_t index = 0; index <= made.mask(); ++index)
    made.at[index].store(nullptr, std::memory_order_relaxed);
  for (Entry* entry : alive) put(made, *entry);
  slots_.store(&made, core::kRelease);
  linked_ = alive.size();
  unused_.insert(unused_.end(), dead.begin(), dead.end());
}

bool EntryTable::is_stripe(const core::Record* record) const {
  const std::lock_guard guard(lock_);
  return std::any_of(all_stripes_.begin(), all_stripes_.end(), [&](const Stripes* stripes) {
    return record >= stripes->records && record < stripes->records + stripes->count();
  });
}

bool EntryTable::wants_more_stripes() const {
  const std::size_t count = stripes().count();
  return (slots_.load(core::kAcquire)->mask() + 1) / 2 > count && links() % count == 0;
}

std::size_t EntryTable::memory() const {
  const std::lock_guard guard(lock_);
  std::size_t size = sizeof(EntryTable);
  for (const Chunk* chunk = first_chunk_; chunk; chunk = chunk->next)
    size += sizeof(Chunk) + (chunk->size - 1) * sizeof(Entry);
  for (const Slots* slots : all_slots_) size += sizeof(Slots) + slots->mask() * sizeof(std::atomic<Entry*>);
  for (const Stripes* stripes : all_stripes_)
    size += sizeof(Stripes) + (stripes->count() - 1) * sizeof(core::Record);
  return size;
}

}  // namespace stmpy
