// Memory that ends when a test says so.
#pragma once

#include <gtest/gtest.h>

#include <new>

namespace stmpy::core::test {

// The allocation of this thread's with that number from now on (from 1) fails, and it alone: `new` throws
// std::bad_alloc, calloc returns null.
void fail_allocation(long number);
// Each of this thread's fails with that probability from now on, in a sequence that `seed` decides.
void fail_allocations(double probability, unsigned seed);
// None fails any more. True if one has failed since they were told to.
bool stop_failing();

// Runs `scenario` with its first allocation failing, then with its second, until it has no more of them;
// behind each, `check(raised)` looks at what it left behind. How many there were.
template <class Scenario, class Check>
long fail_each_allocation(Scenario scenario, Check check) {
  for (long number = 1;; ++number) {
    bool raised = false;
    fail_allocation(number);
    try {
      scenario();
    } catch (const std::bad_alloc&) {
      raised = true;
    }
    const bool failed = stop_failing();
    check(raised);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << "behind the failure of allocation " << number;
      return number;
    }
    if (!failed) return number - 1;
  }
}

}  // namespace stmpy::core::test
