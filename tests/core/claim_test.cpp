// Pending claims (protocol, section 2), one request at a time.
#include <deque>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class ClaimTest : public CoreTest {
 protected:
  ClaimTest() {
    for (Thread* thread : {&holder, &setter, &other}) thread->start();
    EXPECT_EQ(request(holder, Mode::Read), Request::Granted);
  }
  ~ClaimTest() override {
    for (Thread* thread : {&holder, &setter, &other}) {
      record.clear_claim(thread->self);
      record.release(thread->self);
      if (thread->state() != State::Idle) thread->abort();
    }
    EXPECT_EQ(record.bits() & ~(~std::uint64_t{0} << Record::kVersionShift), 0U);
  }
  Request request(Thread& thread, Mode mode) { return record.request(thread.self, mode, refusal); }

  Record record;
  Refusal refusal;
  Thread holder, setter, other;
};

TEST_F(ClaimTest, holds_back_who_has_no_age_though_the_modes_go_together) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(request(other, Mode::Read), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
  EXPECT_EQ(refusal.by, setter.self.current());
}

TEST_F(ClaimTest, does_not_hold_back_its_setter) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(request(setter, Mode::Read), Request::Granted);
}

TEST_F(ClaimTest, does_not_hold_back_who_holds_the_pair) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(request(holder, Mode::Write), Request::Raised);
}

TEST_F(ClaimTest, is_passed_by_who_is_older_and_holds_back_who_is_younger) {
  draw_age(other.self);
  draw_age(setter.self);
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(request(other, Mode::Read), Request::Granted);
  record.release(other.self);
  record.clear_claim(setter.self);
  ASSERT_EQ(record.set_claim(other.self), Claim::Set);
  EXPECT_EQ(request(setter, Mode::Read), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
}

TEST_F(ClaimTest, is_taken_over_by_who_is_older_only) {
  draw_age(other.self);
  draw_age(setter.self);
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(record.set_claim(other.self), Claim::Set);
  EXPECT_FALSE(record.is_claimed_by(setter.self));
  EXPECT_TRUE(record.is_claimed_by(other.self));
  EXPECT_EQ(record.set_claim(setter.self), Claim::Taken);
  EXPECT_TRUE(record.is_claimed_by(other.self));
}

TEST_F(ClaimTest, of_who_has_no_age_is_not_taken_over_by_another_without_one) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  EXPECT_EQ(record.set_claim(other.self), Claim::Taken);
  EXPECT_TRUE(record.is_claimed_by(setter.self));
}

TEST_F(ClaimTest, is_not_cleared_by_who_was_displaced) {
  draw_age(other.self);
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  ASSERT_EQ(record.set_claim(other.self), Claim::Set);
  record.clear_claim(setter.self);
  EXPECT_TRUE(record.is_claimed_by(other.self));
  EXPECT_EQ(setter.self.claimed, nullptr);
}

TEST_F(ClaimTest, of_an_attempt_that_has_ended_holds_nobody_back) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  // As if it had been lost: the word itself knows by the generation.
  setter.self.claimed = nullptr;
  setter.abort();
  setter.start();
  EXPECT_EQ(request(other, Mode::Read), Request::Granted);
}

TEST_F(ClaimTest, is_cleared_before_its_attempt_has_ended) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  setter.abort();
  EXPECT_EQ(setter.self.claimed, nullptr);
  EXPECT_FALSE(record.is_claimed_by(setter.self));
}

// Whoever always comes when the pair is free, and asks when it is not, would never get it.
TEST_F(ClaimTest, is_set_on_a_pair_that_has_just_become_free_too) {
  record.release(holder.self);
  EXPECT_EQ(record.set_claim(setter.self), Claim::SetOnFree);
  EXPECT_EQ(request(other, Mode::Read), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
  EXPECT_EQ(request(setter, Mode::Write), Request::Granted);
}

TEST_F(ClaimTest, is_kept_by_a_pair_that_has_become_free) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  record.release(holder.self);
  EXPECT_EQ(request(other, Mode::Read), Request::Refused);
  EXPECT_EQ(request(setter, Mode::Write), Request::Granted);
  record.clear_claim(setter.self);
  record.release(setter.self);
  EXPECT_EQ(request(other, Mode::Read), Request::Granted);
}

TEST_F(ClaimTest, is_dropped_by_the_request_for_another_pair) {
  const auto thing = make<Thing>();
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  setter.read(*thing);
  EXPECT_FALSE(record.is_claimed_by(setter.self));
}

TEST_F(ClaimTest, is_dropped_before_the_request_for_another_pair_waits) {
  const auto thing = make<Thing>();
  other.write(*thing, 1);
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  setter.self.deadline = Clock::now();
  EXPECT_THROW(setter.write(*thing, 2), TimedOut);
  EXPECT_FALSE(record.is_claimed_by(setter.self));
  other.abort();
}

TEST_F(ClaimTest, is_dropped_where_the_barrier_raises) {
  const auto thing = make<Thing>();
  other.read(*thing);
  setter.self.deadline = Clock::now();
  EXPECT_THROW(setter.write(*thing, 2), TimedOut);
  EXPECT_EQ(setter.self.claimed, nullptr);
  EXPECT_FALSE(thing->record(0).is_claimed_by(setter.self));
  other.abort();
}

TEST_F(ClaimTest, is_dropped_by_a_barrier_that_raises_instead_of_starting_over) {
  ASSERT_EQ(record.set_claim(setter.self), Claim::Set);
  drop_claim(setter.self);
  EXPECT_FALSE(record.is_claimed_by(setter.self));
  drop_claim(setter.self);  // with none it does nothing
}

}  // namespace
}  // namespace stmpy::core::test
