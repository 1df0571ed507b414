// What a thread has done, counted by itself and added up by whoever asks.
#pragma once

#include <cstdint>

#include "runtime/core/atomics.h"

namespace stmpy::core {

enum class Counter : std::uint8_t {
  Begun,               // calls that started an outermost transaction
  Committed,           // attempts
  AbortedByConflict,   // attempts
  AbortedByException,  // attempts left by an exception of the user's
  Attempts,
  NestedReverts,  // savepoints reverted by an exception or a retry
  Retries,        // attempts that ended in a wait for a change
  Waits,
  NanosecondsWaited,
  AbortedBySenior,  // attempts: victims
  FailedUpgrades,   // attempts that gave up because another one held what both had read
  Timeouts,
  Irrevocable,  // attempts
  Count,
};

// The largest of what was counted, of any one.
enum class Peak : std::uint8_t {
  Attempts,           // of a call; those that ended in retry() are not among them
  NanosecondsWaited,  // in a wait
  Count,
};

class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) {
    Shown<std::uint64_t>& cell = cells_[static_cast<int>(counter)];
    cell.set(cell.get() + amount);
  }
  std::uint64_t get(Counter counter) const { return cells_[static_cast<int>(counter)].get(); }

  // Also against a reset by another thread.
  void reach(Peak peak, std::uint64_t amount) {
    std::atomic<std::uint64_t>& cell = peaks_[static_cast<int>(peak)];
    std::uint64_t so_far = cell.load(std::memory_order_relaxed);
    while (so_far < amount && !cell.compare_exchange_weak(so_far, amount, std::memory_order_relaxed)) {
    }
  }
  std::uint64_t get(Peak peak) const {
    return peaks_[static_cast<int>(peak)].load(std::memory_order_relaxed);
  }
  // By any thread.
  void reset_peaks() {
    for (std::atomic<std::uint64_t>& cell : peaks_) cell.store(0, std::memory_order_relaxed);
  }

 private:
  Shown<std::uint64_t> cells_[static_cast<int>(Counter::Count)];
  std::atomic<std::uint64_t> peaks_[static_cast<int>(Peak::Count)] = {};
};

// Over all threads, since the last reset.
struct Totals {
  std::uint64_t values[static_cast<int>(Counter::Count)] = {};
  std::uint64_t peaks[static_cast<int>(Peak::Count)] = {};
  std::uint64_t operator[](Counter counter) const { return values[static_cast<int>(counter)]; }
  std::uint64_t operator[](Peak peak) const { return peaks[static_cast<int>(peak)]; }
};
Totals statistics();
void reset_statistics();

}  // namespace stmpy::core
