// How long a thread stays out of the way of who won. Neither wait is part of the protocol: both end by
// themselves.
#pragma once

#include "runtime/core/descriptor.h"

namespace stmpy::core {

// Rule 2 of the protocol, section 3: a few microseconds. True: the attempt ended meanwhile. It is given up
// early where the other one spins for `self`.
bool ends_while_spinning(Descriptor& self, const Attempt& attempt);

// Notes a conflict of this thread. True where its last one was so short a time ago that threads are taking
// each other's turns: who lost then does better to stay away for a while (back_off).
bool meets_contention(Descriptor& self);

// Sleeps, holding nothing, while the others make many turns: what they use stays in their processor's cache,
// and nobody has to wake the sleeper. A doom or a deadline ends it early.
void back_off(Descriptor& self);

// For the statistics: a sleep that has ended.
void count_wait(Descriptor& self, Clock::time_point start);

}  // namespace stmpy::core
