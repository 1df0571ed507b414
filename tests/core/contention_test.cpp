// Who lost a pair a short while ago, and loses it again, stays away for a while.
#include "runtime/core/contention.h"

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class ContentionTest : public CoreTest {
 protected:
  // A clock that counts from the machine's start may be younger than the period.
  ContentionTest() {
    contention_period = std::chrono::hours(1);
    holder.self.last_conflict = Clock::now() - kLongAgo;
  }

  static constexpr std::chrono::hours kLongAgo{2};

  Record& record() { return thing->record(0); }
  void hold() {
    holder.start();
    holder.write(*thing, 2);
  }
  // A call that reads `thing`, of a thread whose last conflict was that long ago.
  Actor::Part reads(std::chrono::hours ago = kLongAgo, bool holds_something = false) {
    return [=, this](Thread& thread) {
      descriptor = &thread.self;
      descriptor->last_conflict = Clock::now() - ago;
      attempts = thread.call([&] {
        if (holds_something) thread.write(*own, 20);
        thread.number(*thing);
      });
    };
  }
  // From its first conflict to its second one, which is another transaction of the holder's.
  void run_to_second_conflict(Actor& actor) {
    hold();
    actor.run_to(Step::Parking);
    holder.abort();
    actor.run_to(Step::Requested);
    hold();
  }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(10);
  Thread holder;
  int attempts = 0;
  Descriptor* descriptor = nullptr;  // of the actor
};

TEST_F(ContentionTest, a_requester_with_nothing_stays_away_without_a_claim) {
  Actor actor(reads());
  run_to_second_conflict(actor);
  actor.run_to(Step::BackingOff);
  EXPECT_EQ(descriptor->age, 0U);
  EXPECT_FALSE(record().is_claimed_by(*descriptor));
  holder.abort();
  actor.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(ContentionTest, who_has_stayed_away_ten_times_draws_its_age_and_claims) {
  Actor actor(reads());
  run_to_second_conflict(actor);
  for (int times = 1; times < 10; ++times) actor.run_to(Step::BackingOff);  // the first race was lost without
  actor.run_to(Step::Parking);
  EXPECT_NE(descriptor->age, 0U);
  EXPECT_TRUE(record().is_claimed_by(*descriptor));
  holder.abort();
  actor.run_to_end();
}

TEST_F(ContentionTest, an_aborted_call_stays_away_before_it_runs_again) {
  hold();
  Actor actor(reads(std::chrono::hours(0), true));
  actor.run_to(Step::BackingOff);
  EXPECT_EQ(descriptor->state().state(), State::Idle);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::None);
  holder.abort();
  actor.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(ContentionTest, of_two_that_spin_for_each_other_one_stops_at_once) {
  Thread other;
  hold();
  other.start();
  holder.self.spins_for.set(&other.self);
  other.self.spins_for.set(&holder.self);
  static int looks;
  schedule_hook = [](Step step) { looks += step == Step::Spinning; };
  const auto looks_of = [](Thread& thread, Thread& at) {
    looks = 0;
    EXPECT_FALSE(ends_while_spinning(thread.self, at.self.current()));
    at.self.spins_for.set(&thread.self);
    thread.self.spins_for.set(&at.self);
    return looks;
  };
  EXPECT_GT(looks_of(holder, other), 1);
  EXPECT_EQ(looks_of(other, holder), 0) << "without ages, the one with the larger id";
  draw_age(other.self);
  EXPECT_EQ(looks_of(holder, other), 0) << "with an age the senior does, to doom the other,";
  EXPECT_EQ(looks_of(other, holder), 0) << "and that one, to give up";
  schedule_hook = nullptr;
  holder.self.spins_for.set(nullptr);
  other.self.spins_for.set(nullptr);
  holder.abort();
  other.abort();
}

TEST_F(ContentionTest, a_conflict_long_after_the_last_one_is_no_contention) {
  EXPECT_FALSE(meets_contention(holder.self));
  EXPECT_TRUE(meets_contention(holder.self));
  contention_period = std::chrono::microseconds(0);
  EXPECT_FALSE(meets_contention(holder.self));
}

}  // namespace
}  // namespace stmpy::core::test
