#include "runtime/core/irrevocable.h"

#include <algorithm>
#include <optional>

#include "runtime/core/conflict.h"
#include "runtime/core/host.h"
#include "runtime/core/schedule.h"
#include "runtime/core/waits.h"

namespace stmpy::core {
namespace {

std::atomic<Descriptor*> token{nullptr};

// How long a candidate sleeps where nobody would wake it: before a call that is between two attempts.
constexpr std::chrono::milliseconds kNap{1};

// A call in progress that is older. One that has drawn its age and not shown it yet is missed: the token goes
// to the younger of the two then, and the older one may be aborted for it once.
Descriptor* older_call(const Descriptor& self) {
  for (Descriptor* other : all_descriptors()) {
    if (older(*other, self)) return other;
  }
  return nullptr;
}

// The token, taken; or who is in the way.
Descriptor* try_to_take(Descriptor& self) {
  if (Descriptor* other = older_call(self)) return other;
  Descriptor* holder = nullptr;
  if (!token.compare_exchange_strong(holder, &self)) return holder;
  // One that is older may have come to ask meanwhile, and waits for us now if we keep it.
  schedule(Step::TookToken);
  Descriptor* other = older_call(self);
  if (other) token.store(nullptr);
  return other;
}

Wait nap(Descriptor& self) {
  if (host.interrupted()) return Wait::Interrupted;
  const Clock::time_point now = Clock::now();
  if (now >= self.deadline) return Wait::TimedOut;
  self.parker.reset();
  void* detached = host.detach();
  self.parker.park(std::min(self.deadline, now + kNap));
  host.attach(detached);
  return Wait::Ended;
}

}  // namespace

Wait take_token(Descriptor& self) {
  draw_age(self);
  // Signal handlers may run transactions of their own while we wait.
  const std::uint64_t age = self.age.load(std::memory_order_relaxed);
  const Clock::time_point deadline = self.deadline;
  std::optional<ShowAwaiting> shown;
  while (Descriptor* other = try_to_take(self)) {
    const Attempt attempt = other->current();
    if (shown) {
      shown->goes_on(attempt);
    } else {
      shown.emplace(self, attempt, nullptr);
    }
    const Wait wait = in_progress(attempt) ? wait_for_end(self, attempt, false) : nap(self);
    if (wait != Wait::Ended) return wait;
    self.age.store(age, kRelease);
    self.deadline = deadline;
  }
  self.has_token = true;
  self.age.store(kOldest, kRelease);
  return Wait::Ended;
}

void become_irrevocable(Descriptor& self) {
  // It holds nothing yet, so that nobody dooms it.
  std::uint64_t status = self.status.load();
  self.status.compare_exchange(status, Status::of(Status{status}.generation(), State::Irrevocable).bits);
  self.counters.add(Counter::Irrevocable);
}

void give_back_token(Descriptor& self) {
  self.has_token = false;
  self.age.store(0, kRelease);
  Descriptor* holder = &self;
  token.compare_exchange_strong(holder, nullptr);
}

}  // namespace stmpy::core
