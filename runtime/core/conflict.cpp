#include "runtime/core/conflict.h"

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

#include "runtime/core/contention.h"
#include "runtime/core/host.h"
#include "runtime/core/irrevocable.h"
#include "runtime/core/schedule.h"
#include "runtime/core/waits.h"

namespace stmpy::core {
namespace {

// Rule 3: how long a victim may take to notice and to unwind before its senior goes by rule 4.
constexpr std::chrono::milliseconds kPatience{100};

// Rule 1: how often a requester that holds nothing loses the pair to others, for a millisecond at most,
// before it draws its age and sets a claim. A claim hands the pair over, and all others stand still until its
// setter is awake.
constexpr std::uint32_t kLostRaces = kSerialized ? 0 : 10;

// The next attempts of this call take the pair for writing at once. A hint: without memory for it they fail
// once more.
void promote(Descriptor& self, Record& record) {
  try {
    self.promoted.insert(record);
  } catch (const std::bad_alloc&) {
  }
}

Outcome give_up(Descriptor& self, Record& record, const Refusal& refusal) {
  if (refusal.of_upgrade) {
    promote(self, record);
    self.counters.add(Counter::FailedUpgrades);
  }
  self.blocker = {refusal.by, &record};
  doom(self);
  return Outcome::Aborted;
}

// A request that is refused again, having found the one before to have ended, draws its age, and looks at the
// word again before anything else.
bool tires(Descriptor& self) {
  if (++self.refusals != 2) return false;
  draw_age(self);
  return true;
}
// Where something is held too: by readers that come and go a requester is kept for ever from giving up and
// from becoming a senior.
Outcome look_again(Descriptor& self) {
  tires(self);
  return Outcome::Again;
}

Outcome after(Wait wait) {
  switch (wait) {
    case Wait::Ended:
    case Wait::LostPatience:
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

Wait wait_here(Descriptor& self, const Record& record, const Attempt& of,
               Clock::time_point patience = kNoDeadline) {
  const ShowAwaiting shown(self, of, &record);
  return wait_for_end(self, of, true, patience);
}

// Rule 1: a requester that holds nothing waits for the end of who is in its way.
Outcome wait_in_place(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  if (self.lost_races < kLostRaces && refusal.by) {
    ++self.lost_races;
    if (meets_contention(self)) {
      back_off(self);
      return Outcome::Again;
    }
    if (ends_while_spinning(self, refusal.by)) return Outcome::Again;
  }
  if (tires(self) || !refusal.by) return Outcome::Again;
  if (refusal.by_claim) {
    drop_claim(self);  // if there was one, this is who displaced it
  } else if (is_write(mode) || self.age.load(std::memory_order_relaxed) != 0) {
    if (record.set_claim(self) != Claim::Set) return Outcome::Again;
  }
  return after(wait_here(self, record, refusal.by));
}

// Who ends without waiting for anybody: anyone may wait in place for it.
bool ends_by_itself(State state) {
  return state == State::Idle || state == State::Doomed || state == State::Committed;
}
bool ends_by_itself(const Attempt& attempt) {
  const Status now = attempt.descriptor->state();
  return now.generation() != attempt.generation || ends_by_itself(now.state());
}

// The status is read before the age: that of a later call comes with another generation, which the CAS
// notices.
bool can_be_doomed(const Descriptor& self, const Attempt& attempt) {
  const Status now = attempt.descriptor->state();
  if (now.generation() != attempt.generation || ends_by_itself(now.state())) return true;
  return now.state() == State::Active && older(self, *attempt.descriptor);
}

// False: it has become irrevocable meanwhile.
bool doom_other(const Attempt& attempt) {
  Descriptor& other = *attempt.descriptor;
  for (std::uint64_t status = other.status.load();;) {
    const Status seen{status};
    if (seen.generation() != attempt.generation || ends_by_itself(seen.state())) return true;
    if (seen.state() != State::Active) return false;
    if (other.status.compare_exchange(status, Status::of(seen.generation(), State::Doomed).bits)) {
      hide_patterns(other);  // at its next access it looks, also of what it holds
      other.parker.unpark();
      return true;
    }
  }
}

// Of several none is doomed unless all can be.
bool doom_all(const Descriptor& self, const std::vector<Attempt>& holders) {
  return std::all_of(holders.begin(), holders.end(),
                     [&](const Attempt& holder) { return can_be_doomed(self, holder); }) &&
         std::all_of(holders.begin(), holders.end(), doom_other);
}

// Rule 3: a senior dooms the younger attempts in its way, and waits in place for their end; so does anyone
// for an attempt that ends by itself. Not for ever: it may be blocked in foreign code, on a lock that the
// waiter holds. No answer: rule 4.
std::optional<Outcome> outlast(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  const bool spins_first = refusal.by_claim || self.age.load(std::memory_order_relaxed) == 0;
  if (spins_first && ends_while_spinning(self, refusal.by)) return look_again(self);
  if (refusal.by_claim) return std::nullopt;
  if (self.age.load(std::memory_order_relaxed) != 0) {
    // Before it spins: else others come and go under its eyes.
    switch (record.set_claim(self)) {
      case Claim::SetOnFree:
        return Outcome::Again;
      case Claim::Taken:
        return std::nullopt;
      case Claim::Set:
        break;
    }
    if (ends_while_spinning(self, refusal.by)) return Outcome::Again;
    const std::vector<Attempt> in_the_way = record.excluders(self, mode);
    schedule(Step::Dooming);
    if (!doom_all(self, in_the_way)) return std::nullopt;
    schedule(Step::Doomed);
  } else if (!ends_by_itself(refusal.by)) {
    return std::nullopt;
  } else {
    tires(self);
  }
  const Wait wait = wait_here(self, record, refusal.by, Clock::now() + kPatience);
  return wait == Wait::LostPatience ? std::nullopt : std::optional(after(wait));
}

// An irrevocable attempt is the oldest, and never gives up: whoever is in its way is doomed or ends by
// itself. It waits for a victim that is blocked in foreign code as long as that takes.
Outcome insist(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  if (!refusal.by || record.set_claim(self) != Claim::Set || ends_while_spinning(self, refusal.by))
    return Outcome::Again;
  doom_all(self, record.excluders(self, mode));
  schedule(Step::Doomed);
  return after(wait_here(self, record, refusal.by));
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
// accesses belong to it, may register pairs, and then a requester with nothing is none any more.
bool has_to_ask_again(Descriptor& self, const Record* claimed, bool held_nothing) {
  if (held_nothing && !holds_nothing(self)) return true;
  return claimed && (self.claimed != claimed || !self.claimed->is_claimed_by(self));
}

}  // namespace

Outcome on_refusal(Descriptor& self, Record& record, Mode mode, const Refusal& refusal) {
  schedule(Step::Refused);
  if (is_irrevocable(self)) return insist(self, record, mode, refusal);
  if (self.exclusive) return refusal.by ? give_up(self, record, refusal) : Outcome::Again;
  if (holds_nothing(self)) return wait_in_place(self, record, mode, refusal);
  if (!refusal.by) return look_again(self);
  const std::optional<Outcome> outlasted = outlast(self, record, mode, refusal);
  return outlasted ? *outlasted : give_up(self, record, refusal);
}

Wait wait_for_end(Descriptor& self, Attempt of, bool in_place, Clock::time_point patience) {
  const Clock::time_point start = Clock::now(), deadline = self.deadline;
  const Record* const claimed = in_place ? self.claimed : nullptr;
  const bool held_nothing = holds_nothing(self);
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
    if (in_place && has_to_ask_again(self, claimed, held_nothing)) break;
    if (in_place && self.state().state() == State::Doomed) {
      result = Wait::Doomed;
      break;
    }
    if (now >= deadline) {
      result = Wait::TimedOut;
      break;
    }
    if (now >= patience) {
      result = Wait::LostPatience;
      break;
    }
    schedule(Step::Parking);
    void* token = host.detach();
    self.parker.park(std::min({deadline, patience, now + signal_period}));
    host.attach(token);
  }
  count_wait(self, start);
  return result;
}

}  // namespace stmpy::core
