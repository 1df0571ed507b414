#include "runtime/core/reclaim.h"

#include <deque>
#include <optional>

#include "runtime/core/schedule.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

std::optional<Observer> observer;  // for a hook

class ReclaimTest : public CoreTest {
 protected:
  ~ReclaimTest() override { schedule_hook = nullptr; }
  void reclaim_one() { reclaim_reference(make<Object>().give_away()); }

  Ref<Thing> thing = make<Thing>(1);
  const long before = Object::alive;
  Thread thread, other, third;
};

TEST_F(ReclaimTest, a_reference_that_nobody_can_see_is_released_at_once) {
  reclaim_one();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, a_reference_is_kept_while_somebody_observes) {
  {
    const Observer observing(thread.self);
    reclaim_one();
    EXPECT_EQ(Object::alive, before + 1);
    Observer::empty_limbo();
    EXPECT_EQ(Object::alive, before + 1);
  }
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, every_observer_counts) {
  std::optional<Observer> first(std::in_place, thread.self), second(std::in_place, other.self);
  reclaim_one();
  first.reset();
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before + 1);
  second.reset();
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, observers_of_many_threads_share_what_counts_them) {
  std::deque<Thread> threads(40);
  std::deque<Observer> observing;
  for (Thread& each : threads) observing.emplace_back(each.self);
  reclaim_one();
  while (!observing.empty()) {
    EXPECT_EQ(Object::alive, before + 1);
    observing.pop_front();
    Observer::empty_limbo();
  }
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, limbo_empties_though_there_is_always_somebody_who_observes) {
  std::optional<Observer> current(std::in_place, thread.self);
  const Descriptor* next = &other.self;
  reclaim_one();
  int rounds = 0;
  for (; Object::alive != before; ++rounds) {
    ASSERT_LT(rounds, 10);
    std::optional<Observer> newcomer(std::in_place, *next);
    current.reset();
    Observer::empty_limbo();
    current.emplace(*std::exchange(next, next == &other.self ? &thread.self : &other.self));
    newcomer.reset();
    Observer::empty_limbo();
  }
  EXPECT_GT(rounds, 0);
}

TEST_F(ReclaimTest, what_comes_to_limbo_later_waits_for_the_observers_of_then) {
  std::optional<Observer> first(std::in_place, thread.self);
  reclaim_one();
  Observer::empty_limbo();
  std::optional<Observer> second(std::in_place, other.self);
  reclaim_one();
  first.reset();
  for (int turn = 0; turn < 4; ++turn) {
    const Observer passing(third.self);
    Observer::empty_limbo();
  }
  EXPECT_GE(Object::alive, before + 1) << "the second one may still be looked at";
  second.reset();
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, the_last_observer_empties_all_of_limbo) {
  std::optional<Observer> observing(std::in_place, thread.self);
  reclaim_one();
  Observer::empty_limbo();
  reclaim_one();
  observing.reset();
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, an_attempt_gives_back_through_limbo_while_somebody_observes) {
  {
    const Observer observing(other.self);
    thread.call([&] { thread.write(*thing, 2); });
    EXPECT_EQ(Object::alive, before + 1);
    EXPECT_EQ(thing->references, 2) << "its accesses' references too";
  }
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
  EXPECT_EQ(thing->references, 1);
}

// The last observer finds limbo empty, leaves, and then something comes there: nobody else would look for it.
TEST_F(ReclaimTest, what_comes_to_limbo_behind_the_last_observer_is_not_forgotten) {
  observer.emplace(other.self);
  schedule_hook = [](Step step) {
    if (step == Step::Kept) observer.reset();
  };
  thread.call([&] { thread.write(*thing, 2); });
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, finalisers_of_what_comes_out_of_limbo_may_bring_more) {
  {
    const Observer observing(thread.self);
    auto value = make<Object>();
    value->finaliser = [&] { reclaim_one(); };
    reclaim_reference(value.give_away());
  }
  Observer::empty_limbo();
  EXPECT_EQ(Object::alive, before);
}

TEST_F(ReclaimTest, memory_of_a_large_log_stays_readable_for_who_observes_it) {
  std::vector<Ref<Thing>> things;
  for (int made = 0; made < 5000; ++made) things.push_back(make<Thing>(0));
  {
    const Observer observing(other.self);
    thread.start();
    for (const auto& each : things) thread.read(*each);
    const auto last = thread.self.accesses.position();
    ASSERT_TRUE(thread.finish());
    EXPECT_TRUE(thread.self.accesses.empty());
    const AppendLog<Access>::Position first = thread.self.first_access.get();
    int seen = 0;
    thread.self.accesses.observe(last, [&](const Access&) { return ++seen < 5; });
    thread.self.accesses.observe(first, [&](const Access&) { return ++seen < 5; });
  }
  Observer::empty_limbo();
}

}  // namespace
}  // namespace stmpy::core::test
