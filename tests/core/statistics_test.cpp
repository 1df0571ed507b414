#include "runtime/core/statistics.h"

#include <thread>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class StatisticsTest : public CoreTest {
 protected:
  Ref<Thing> thing = make<Thing>(1);
  Thread thread;
};

TEST_F(StatisticsTest, counts_attempts_and_commits) {
  thread.start();
  thread.abort();
  thread.call([&] { thread.write(*thing, 2); });
  EXPECT_EQ(statistics()[Counter::Attempts], 2U);
  EXPECT_EQ(statistics()[Counter::Committed], 1U);
}

TEST_F(StatisticsTest, counts_savepoints_that_an_exception_reverted) {
  thread.start();
  thread.nested([&] { thread.write(*thing, 2); });
  EXPECT_THROW(thread.nested([&] { throw 1; }), int);
  EXPECT_EQ(statistics()[Counter::NestedReverts], 1U);
  thread.abort();
}

TEST_F(StatisticsTest, counts_waits_and_their_time) {
  Thread blocker;
  blocker.start();
  blocker.write(*thing, 2);
  EXPECT_THROW(
      thread.call({.deadline = Clock::now() + std::chrono::milliseconds(2)}, [&] { thread.read(*thing); }),
      TimedOut);
  EXPECT_EQ(statistics()[Counter::Waits], 1U);
  EXPECT_GE(statistics()[Counter::NanosecondsWaited], 1'000'000U);
  blocker.abort();
}

TEST_F(StatisticsTest, adds_up_all_threads_those_that_have_ended_too) {
  std::thread([&] {
    Thread ended;
    ended.call([&] { ended.write(*thing, 3); });
  }).join();
  thread.call([&] { thread.write(*thing, 4); });
  EXPECT_EQ(statistics()[Counter::Committed], 2U);
}

TEST_F(StatisticsTest, begins_anew_at_a_reset) {
  thread.call([&] { thread.write(*thing, 2); });
  reset_statistics();
  EXPECT_EQ(statistics()[Counter::Committed], 0U);
  thread.self.counters.add(Counter::Begun, 3);
  EXPECT_EQ(statistics()[Counter::Begun], 3U);
}

TEST_F(StatisticsTest, the_peak_of_all_threads_begins_anew_at_a_reset) {
  Thread other;
  reset_statistics();
  thread.self.counters.reach(Peak::Attempts, 3);
  thread.self.counters.reach(Peak::Attempts, 2);
  other.self.counters.reach(Peak::Attempts, 5);
  EXPECT_EQ(statistics()[Peak::Attempts], 5U);
  reset_statistics();
  EXPECT_EQ(statistics()[Peak::Attempts], 0U);
  thread.self.counters.reach(Peak::Attempts, 1);
  EXPECT_EQ(statistics()[Peak::Attempts], 1U);
}

}  // namespace
}  // namespace stmpy::core::test
