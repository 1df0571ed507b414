// What a refused request does (protocol, section 3): who waits in place, who dooms whom, who aborts.
#pragma once

#include "runtime/core/transaction.h"

namespace stmpy::core {

// Again, Aborted, Interrupted or TimedOut.
Outcome on_refusal(Descriptor& self, Record& record, Mode mode, const Refusal& refusal);

// Sleeps until the attempt has ended. `in_place`: also until this thread's own attempt is doomed or its claim
// displaced, and no longer than `patience`.
Wait wait_for_end(Descriptor& self, Attempt of, bool in_place, Clock::time_point patience = kNoDeadline);

}  // namespace stmpy::core
