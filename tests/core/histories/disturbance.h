// Delays at the steps of the core, so that interleavings come about that a run alone hardly ever shows.
#pragma once

#include "runtime/core/schedule.h"
#include "tests/core/histories/program.h"

namespace stmpy::core::test {

// Steps that are slow in some of the threads of a history, so that others come in between there: a few that
// follow each other, or none. At all others a thread lets others go first now and then.
struct Slow {
  int first = 0, last = -1;
  bool contains(Step step) const { return first <= static_cast<int>(step) && static_cast<int>(step) <= last; }
};
Slow choose_slow_steps(Random& random);
// For the calling thread, from here on.
void disturb(Slow slow, Random random);

}  // namespace stmpy::core::test
