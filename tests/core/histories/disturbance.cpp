#include "tests/core/histories/disturbance.h"

#include <chrono>
#include <thread>

namespace stmpy::core::test {
namespace {

constexpr int kSteps = static_cast<int>(Step::BackingOff) + 1;

struct Disturbance {
  Slow slow;
  Random random;
};
thread_local Disturbance disturbance;

void at(Step step) {
  Random& random = disturbance.random;
  if (disturbance.slow.contains(step) && chance(random, 2)) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
  } else if (chance(random, 16)) {
    std::this_thread::yield();
  }
}

}  // namespace

Slow choose_slow_steps(Random& random) {
  switch (random() % 4) {
    case 0:  // where others may come in between twice
      return {static_cast<int>(Step::Looked), static_cast<int>(Step::Chosen)};
    case 1:
      return {static_cast<int>(Step::Dooming), static_cast<int>(Step::Doomed)};
    default:
      const int first = static_cast<int>(random() % kSteps);
      return {first, first + static_cast<int>(random() % 5) - 1};
  }
}

void disturb(Slow slow, Random random) {
  disturbance = {chance(random, 2) ? slow : Slow{}, random};
  schedule_hook = at;
}

}  // namespace stmpy::core::test
