#include "runtime/core/reclaim.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "runtime/core/descriptor.h"
#include "runtime/core/host.h"
#include "runtime/core/immortal.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

// Observers are counted in shards, so that they do not contend, and in one of two phases, so that limbo
// empties even where there is always somebody who observes: newcomers are sent to one phase while the other
// one drains.
constexpr std::uint32_t kShards = 16;
struct alignas(64) Shard {
  std::atomic<std::uint32_t> observing[2];
};
Shard shards[kShards];
std::atomic<std::uint32_t> shards_in_use{0};  // a bit for each; bits are only set
std::atomic<std::uint32_t> phase_of_newcomers{0};

std::atomic<std::uint32_t>& enter(const Descriptor& self) {
  const std::uint32_t shard = self.id % kShards;
  if (!(shards_in_use.load(std::memory_order_relaxed) >> shard & 1)) shards_in_use.fetch_or(1u << shard);
  std::atomic<std::uint32_t>& counter =
      shards[shard].observing[phase_of_newcomers.load(std::memory_order_relaxed)];
  counter.fetch_add(1, std::memory_order_seq_cst);
  return counter;
}

bool nobody_in_phase(int phase) {
  std::uint32_t in_use = shards_in_use.load(std::memory_order_seq_cst);
  for (std::uint32_t shard = 0; in_use != 0; ++shard, in_use >>= 1) {
    if ((in_use & 1) && shards[shard].observing[phase].load(std::memory_order_seq_cst) != 0) return false;
  }
  return true;
}

struct Kept {
  std::vector<void*> references;
  std::vector<void*> memory;
  bool empty() const { return references.empty() && memory.empty(); }
};

struct Limbo {
  std::mutex mutex;
  Kept newest;
  Kept leaving;             // out of reach before either phase was last seen empty
  bool seen_empty[2] = {};  // since there is something in `leaving`
  std::atomic<bool> holds_something{false};

  // What nobody can have any more, and maybe nothing. Called under the mutex.
  Kept take() {
    if (leaving.empty()) {
      std::swap(leaving, newest);
      seen_empty[0] = seen_empty[1] = false;
    }
    for (int phase = 0; phase < 2; ++phase) seen_empty[phase] = seen_empty[phase] || nobody_in_phase(phase);
    if (seen_empty[0] != seen_empty[1]) phase_of_newcomers.store(seen_empty[0] ? 0 : 1);
    Kept taken;
    if (seen_empty[0] && seen_empty[1]) std::swap(taken, leaving);
    holds_something.store(!leaving.empty() || !newest.empty());
    return taken;
  }
};

Limbo& limbo() {
  static Immortal<Limbo> the_limbo;
  return the_limbo.value;
}

void keep(std::vector<void*> Kept::*what, void* kept) {
  Limbo& there = limbo();
  const std::lock_guard guard(there.mutex);
  try {
    (there.newest.*what).push_back(kept);
  } catch (const std::bad_alloc&) {
    return;  // leaked: better than given back under an observer's eyes
  }
  there.holds_something.store(true);
}

}  // namespace

bool nobody_observes() {
  if constexpr (kSerialized) return true;
  // The caller took the references out of reach before a fenced store or CAS; an observer raises its count
  // with one before it looks. So either it is seen here, or it does not find them any more.
  return nobody_in_phase(0) && nobody_in_phase(1);
}

void reclaim_reference(void* reference) {
  if (nobody_observes()) {
    host.release(reference);
  } else {
    keep(&Kept::references, reference);
    schedule(Step::Kept);
  }
}

void reclaim_memory(void* memory) {
  if (nobody_observes()) {
    std::free(memory);
  } else {
    keep(&Kept::memory, memory);
  }
}

Observer::Observer(const Descriptor& self) {
  if constexpr (!kSerialized) counter_ = &enter(self);
}

Observer::~Observer() {
  if constexpr (!kSerialized) counter_->fetch_sub(1, std::memory_order_seq_cst);
}

void Observer::empty_limbo() {
  Limbo& there = limbo();
  while (there.holds_something.load(std::memory_order_seq_cst)) {
    Kept taken;
    {
      const std::lock_guard guard(there.mutex);
      taken = there.take();
    }
    if (taken.empty()) return;
    for (void* block : taken.memory) std::free(block);
    for (void* reference : taken.references) host.release(reference);
  }
}

void reset_observers_after_fork() {
  new (&limbo().mutex) std::mutex;
  for (Shard& shard : shards) shard.observing[0] = shard.observing[1] = 0;
}

}  // namespace stmpy::core
