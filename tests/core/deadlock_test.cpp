// Every wait ends (protocol, sections 3 and 4): many threads, few pairs, every mode, any order, and no look
// at the clock.
#include <random>

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class DeadlockTest : public CoreTest {
 protected:
  // Every thread runs `part` with a random engine of its own.
  void on_threads(int count, const std::function<void(Thread&, std::mt19937&)>& part) {
    std::vector<std::thread> threads;
    for (int number = 0; number < count; ++number) {
      threads.emplace_back([&part, number] {
        Thread thread;
        thread.quick = number % 2 == 0;
        std::mt19937 random(static_cast<unsigned>(number));
        part(thread, random);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  Thing& any(std::mt19937& random) { return *things[random() % things.size()]; }

  std::vector<Ref<Thing>> things = {make<Thing>(0), make<Thing>(0), make<Thing>(0)};
  static constexpr int kRounds = 2000;
};

TEST_F(DeadlockTest, requesters_with_nothing_that_wait_for_claims_and_readers) {
  on_threads(6, [&](Thread& thread, std::mt19937& random) {
    for (int round = 0; round < kRounds; ++round) {
      thread.call([&] {
        Thing& thing = any(random);
        const Mode modes[] = {Mode::Read, Mode::Update, Mode::Write};
        const Mode mode = modes[random() % 3];
        if (random() % 8 == 0) draw_age(thread.self);
        const long number = thread.number(thing, 0, mode);
        std::this_thread::yield();
        if (mode != Mode::Read) thread.write(thing, number + 1);
      });
    }
  });
}

TEST_F(DeadlockTest, several_pairs_in_any_order_and_mode) {
  on_threads(4, [&](Thread& thread, std::mt19937& random) {
    for (int round = 0; round < kRounds; ++round) {
      thread.call({.exclusive = random() % 10 == 0}, [&] {
        for (int access = 0; access < 4; ++access) {
          Thing& thing = any(random);
          switch (random() % 4) {
            case 0:
              thread.number(thing);
              break;
            case 1:
              thread.number(thing, 0, Mode::Update);
              break;
            default:
              thread.write(thing, thread.number(thing) + 1);
          }
        }
      });
    }
  });
}

TEST_F(DeadlockTest, deadlines_and_signals_in_the_midst_of_it) {
  signal_period = std::chrono::milliseconds(1);
  on_threads(4, [&](Thread& thread, std::mt19937& random) {
    signal_handlers = [&] { return random() % 4 == 0; };
    for (int round = 0; round < kRounds; ++round) {
      try {
        const Clock::time_point deadline = Clock::now() + std::chrono::microseconds(random() % 500);
        thread.call({.deadline = deadline}, [&] {
          for (int access = 0; access < 3; ++access) {
            Thing& thing = any(random);
            thread.write(thing, thread.number(thing) + 1);
          }
        });
      } catch (const TimedOut&) {
      } catch (const Interrupted&) {
      }
    }
    signal_handlers = nullptr;
  });
  for (const auto& thing : things)
    EXPECT_EQ(thing->record(0).bits() << (64 - Record::kVersionShift), 0U) << "nothing is held or claimed";
}

}  // namespace
}  // namespace stmpy::core::test
