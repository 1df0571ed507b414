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
  Count,
};

class Counters {
 public:
  void add(Counter counter, std::uint64_t amount = 1) {
    Shown<std::uint64_t>& cell = cells_[static_cast<int>(counter)];
    cell.set(cell.get() + amount);
  }
  std::uint64_t get(Counter counter) const { return cells_[static_cast<int>(counter)].get(); }

 private:
  Shown<std::uint64_t> cells_[static_cast<int>(Counter::Count)];
};

// Over all threads, since the last reset.
struct Totals {
  std::uint64_t values[static_cast<int>(Counter::Count)] = {};
  std::uint64_t operator[](Counter counter) const { return values[static_cast<int>(counter)]; }
};
Totals statistics();
void reset_statistics();

}  // namespace stmpy::core
