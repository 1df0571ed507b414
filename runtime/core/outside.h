// What threads outside of a transaction see of it (protocol, section 9), and what a forked child does with
// it.
#pragma once

#include <vector>

#include "runtime/core/transaction.h"

namespace stmpy::core {

// The last committed value of a pair, at once, never waiting. Valid (to be counted by the caller) while the
// observer lives.
void* committed_value(const Observer& observer, const Record& record, const Slot& slot);

// One transaction in progress, as of one instant.
struct Seen {
  Attempt attempt;
  struct Pair {
    Record* record;
    void* object;  // valid (to be counted by the caller) while the observer lives
    Mode mode;
  };
  std::vector<Pair> pairs;
};
std::vector<Seen> transactions_in_progress(const Observer& observer);

// In the child after a fork: all locks anew; the attempts of the threads that are gone are finished by their
// status, COMMITTED forwards, all others reverted. Then, when everything is in order, the references are
// released that these threads held (any code may run).
void finish_attempts_after_fork(Descriptor* survivor);
// Its part that is also for interpreter shutdown: no other thread may ever enter the core again.
void finish_attempts_of_others(Descriptor* survivor);

}  // namespace stmpy::core
