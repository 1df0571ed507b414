#include "runtime/core/conflict.h"

#include <algorithm>
#include <new>

#include "runtime/core/host.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

// Rule 2: how long a thread spins before it gives up what it holds; about two microseconds.
constexpr int kSpins = kSerialized ? 0 : 200;

bool ends_while_spinning(const Attempt& attempt) {
  for (int turn = 0; turn < kSpins; ++turn) {
    if (!in_progress(attempt)) return true;
    pause();
  }
  return false;
}

// The next attempts of this call take the pair for writing at once. A hint: without memory for it they fail
// once more.
void promote(Descriptor& self, Record& record) {
  try {
    self.promoted.push_back(&record);
  } catch (const std::bad_alloc&) {
  }
}

Outcome give_up(Descriptor& self, Record& record, const Refusal& refusal) {
  if (refusal.of_upgrade) promote(self, record);
  draw_age(self);
  self.blocker = refusal.by;
  doom(self);
  return Outcome::Aborted;
}

bool holds_nothing(const Descriptor& self) { return self.accesses.empty_since(self.first_access.get()); }

// Rule 1: a requester that holds nothing waits for the end of who is in its way.
Outcome wait_in_place(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  if (++self.refusals == 2) {
    draw_age(self);
    return Outcome::Again;
  }
  if (!refusal.by) return Outcome::Again;
  if (refusal.by_claim) {
    drop_claim(self);  // if there was one, this is who displaced it
  } else if (is_write(mode) || self.age.load(std::memory_order_relaxed) != 0) {
    if (!record.set_claim(self)) return Outcome::Again;
  }
  switch (wait_for_end(self, refusal.by, true)) {
    case Wait::Ended:
      return Outcome::Again;
    case Wait::Doomed:
      return Outcome::Aborted;
    case Wait::Interrupted:
      return Outcome::Interrupted;
    case Wait::TimedOut:
      return Outcome::TimedOut;
  }
  return Outcome::Again;
}

// Registered among those who sleep until `of` has ended, for as long as this lives.
class Waiting {
 public:
  Waiting(Descriptor& self, Descriptor& of) : of_(of), waiter_{&self.parker, nullptr, nullptr} {
    self.parker.reset();
    {
      const std::lock_guard guard(of.waiters_mutex);
      insert();
    }
    of.waiting_for_it.fetch_add(1, std::memory_order_seq_cst);
    schedule(Step::Registered);
  }
  ~Waiting() {
    of_.waiting_for_it.fetch_sub(1, std::memory_order_seq_cst);
    const std::lock_guard guard(of_.waiters_mutex);
    remove();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  void insert() {
    waiter_.next = of_.first_waiter;
    waiter_.place = &of_.first_waiter;
    if (waiter_.next) waiter_.next->place = &waiter_.next;
    of_.first_waiter = &waiter_;
  }
  void remove() {
    *waiter_.place = waiter_.next;
    if (waiter_.next) waiter_.next->place = waiter_.place;
  }

  Descriptor& of_;
  Waiter waiter_;
};

// Whether a wait in place has lost what it stood on. A signal handler runs inside of the waiting attempt: its
// accesses belong to it, may register pairs, and then this is no longer a requester with nothing.
bool has_to_ask_again(Descriptor& self, const Record* claimed) {
  if (!holds_nothing(self)) return true;
  return claimed && (self.claimed != claimed || !self.claimed->is_claimed_by(self));
}

}  // namespace

Outcome on_refusal(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  schedule(Step::Refused);
  if (self.exclusive) return refusal.by ? give_up(self, record, refusal) : Outcome::Again;
  if (holds_nothing(self)) return wait_in_place(self, record, mode, refusal);
  if (!refusal.by || ends_while_spinning(refusal.by)) return Outcome::Again;
  // Rule 3, a senior that dooms a younger holder, has its place here.
  return give_up(self, record, refusal);
}

Wait wait_for_end(Descriptor& self, Attempt of, bool in_place) {
  const Clock::time_point start = Clock::now(), deadline = self.deadline;
  const Record* const claimed = in_place ? self.claimed : nullptr;
  Wait result = Wait::Ended;
  for (bool slept = false;; slept = true) {
    // A signal handler may run transactions on this thread: it finds no half-made state here.
    if (slept && host.interrupted()) {
      result = Wait::Interrupted;
      break;
    }
    const Clock::time_point now = Clock::now();
    const Waiting waiting(self, *of.descriptor);
    if (!in_progress(of)) break;
    if (in_place && has_to_ask_again(self, claimed)) break;
    if (in_place && self.state().state() == State::Doomed) {
      result = Wait::Doomed;
      break;
    }
    if (now >= deadline) {
      result = Wait::TimedOut;
      break;
    }
    schedule(Step::Parking);
    void* token = host.detach();
    self.parker.park(std::min(deadline, now + signal_period));
    host.attach(token);
  }
  self.counters.add(Counter::Waits);
  self.counters.add(Counter::NanosecondsWaited,
                    static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now() - start).count()));
  return result;
}

}  // namespace stmpy::core
