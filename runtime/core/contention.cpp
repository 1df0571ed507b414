#include "runtime/core/contention.h"

#include <algorithm>

#include "runtime/core/host.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

// About three microseconds.
constexpr int kSpins = kSerialized ? 0 : 200;
// It looks seldom, and ever more so: each look takes the word from who is about to write to it.
constexpr int kLongestGap = 16;

// Some ten to some hundred short transactions of the others, and what a sleep costs.
constexpr std::chrono::microseconds kBackOff{100};

// The two spin for each other. The senior stops, to doom the other, and so does that one, to give up; without
// ages one of them gives up.
bool spins_in_vain(const Descriptor& self, const Descriptor& other) {
  return other.spins_for.get() == &self && (older(self, other) || older(other, self) || self.id > other.id);
}

}  // namespace

bool ends_while_spinning(Descriptor& self, const Attempt& attempt) {
  self.spins_for.set(attempt.descriptor);
  bool ended = false;
  for (int turn = 0, gap = 1; turn < kSpins && !spins_in_vain(self, *attempt.descriptor); turn += gap) {
    schedule(Step::Spinning);
    ended = !in_progress(attempt);
    if (ended) break;
    for (int pauses = 0; pauses < gap; ++pauses) pause();
    gap = std::min(2 * gap, kLongestGap);
  }
  self.spins_for.set(nullptr);
  return ended;
}

bool meets_contention(Descriptor& self) {
  // Whoever is in the way was interrupted within its turn: nothing is gained by sleeping longer than until
  // its end.
  if (kSerialized) return false;
  const Clock::time_point now = Clock::now();
  const bool again = now - self.last_conflict < contention_period;
  self.last_conflict = now;
  return again;
}

void back_off(Descriptor& self) {
  const Clock::time_point start = Clock::now();
  self.parker.reset();
  schedule(Step::BackingOff);
  void* token = host.detach();
  self.parker.park(std::min(self.deadline, start + kBackOff));
  host.attach(token);
  count_wait(self, start);
}

void count_wait(Descriptor& self, Clock::time_point start) {
  const auto nanoseconds = static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - start).count());
  self.counters.add(Counter::Waits);
  self.counters.add(Counter::NanosecondsWaited, nanoseconds);
  self.counters.reach(Peak::NanosecondsWaited, nanoseconds);
}

}  // namespace stmpy::core
