// Irrevocable attempts (protocol, section 10): one token, given to the oldest, never aborted.
#include "runtime/core/irrevocable.h"

#include <utility>

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class IrrevocableTest : public CoreTest {
 protected:
  static void start_irrevocable(Thread& thread) {
    ASSERT_EQ(take_token(thread.self), Wait::Ended);
    thread.start();
    become_irrevocable(thread.self);
  }
  // A call that asks for the token, increments `thing` behind `own`, and commits.
  Actor::Part increments() {
    return [this](Thread& thread) {
      descriptor = &thread.self;
      start_irrevocable(thread);
      thread.write(*own, 20);
      thread.write(*thing, thread.number(*thing, 0, mode) + 1);
      EXPECT_TRUE(thread.finish());
    };
  }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(10);
  Thread holder, other;
  Mode mode = Mode::Write;
  Descriptor* descriptor = nullptr;
};

TEST_F(IrrevocableTest, it_commits_and_gives_the_token_to_the_next) {
  for (Thread* thread : {&holder, &other, &holder}) {
    start_irrevocable(*thread);
    EXPECT_EQ(thread->state(), State::Irrevocable);
    thread->write(*thing, thread->number(*thing) + 1);
    ASSERT_TRUE(thread->finish());
    EXPECT_FALSE(thread->self.has_token);
    EXPECT_EQ(thread->self.age, 0U);
  }
  EXPECT_EQ(holder.committed_number(*thing), 4);
}

TEST_F(IrrevocableTest, an_exception_of_its_own_reverts_it_and_gives_the_token_back) {
  start_irrevocable(holder);
  holder.write(*thing, 5);
  holder.abort();
  EXPECT_EQ(holder.committed_number(*thing), 1);
  start_irrevocable(other);
  other.abort();
}

TEST_F(IrrevocableTest, is_not_kept_from_a_pair_by_readers_that_come_and_go) {
  mode = Mode::Read;
  holder.start();
  holder.read(*thing);
  Actor writer(increments());
  writer.run_to(Step::Refused);
  other.start();
  other.read(*thing);
  holder.finish();
  writer.run_to(Step::Refused);
  holder.start();
  Refusal refusal;
  EXPECT_EQ(thing->record(0).request(holder.self, Mode::Read, refusal), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
  other.finish();
  writer.run_to_end();
  holder.abort();
}

TEST_F(IrrevocableTest, there_is_one_at_a_time) {
  start_irrevocable(holder);
  Actor candidate(increments());
  candidate.run_to(Step::Parking);
  EXPECT_EQ(descriptor->state().state(), State::Idle);
  ASSERT_TRUE(holder.finish());
  candidate.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 2);
}

TEST_F(IrrevocableTest, a_wait_for_the_token_ends_with_the_deadline) {
  start_irrevocable(holder);
  other.self.deadline = Clock::now();
  EXPECT_EQ(take_token(other.self), Wait::TimedOut);
  EXPECT_FALSE(other.self.has_token);
  other.self.deadline = kNoDeadline;
  holder.abort();
}

TEST_F(IrrevocableTest, a_wait_for_an_older_call_between_two_attempts_ends_with_the_deadline) {
  draw_age(holder.self);
  other.self.deadline = Clock::now();
  EXPECT_EQ(take_token(other.self), Wait::TimedOut);
  other.self.deadline = kNoDeadline;
  forget_age(holder.self);
}

TEST_F(IrrevocableTest, a_signal_handler_that_runs_a_call_leaves_a_candidate_its_age_and_its_deadline) {
  signal_period = std::chrono::milliseconds(1);
  start_irrevocable(holder);
  std::uint64_t age = 0;
  const Clock::time_point deadline = Clock::now() + std::chrono::hours(1);
  Actor candidate([&](Thread& thread) {
    descriptor = &thread.self;
    thread.self.deadline = deadline;
    signal_handlers = [&, handled = false]() mutable {
      if (std::exchange(handled, true)) return false;
      age = thread.self.age;
      thread.call([] {});
      thread.self.age = 0;
      return false;
    };
    EXPECT_EQ(take_token(thread.self), Wait::Ended);
    EXPECT_EQ(thread.self.deadline, deadline);
    thread.start();
    thread.abort();
  });
  candidate.run_to(Step::Parking);
  candidate.run_to(Step::Parking);  // the handler's call is behind it
  EXPECT_NE(age, 0U);
  ASSERT_TRUE(holder.finish());
  draw_age(other.self);  // younger than the candidate, which waits for older ones only
  candidate.run_to_end();
  forget_age(other.self);
}

TEST_F(IrrevocableTest, a_signal_handler_that_raises_ends_a_wait_for_the_token) {
  draw_age(holder.self);  // an older call between two attempts
  signal_handlers = [] { return true; };
  EXPECT_EQ(take_token(other.self), Wait::Interrupted);
  signal_handlers = nullptr;
  forget_age(holder.self);
}

TEST_F(IrrevocableTest, it_waits_until_no_older_call_is_in_progress) {
  draw_age(holder.self);
  holder.start();
  holder.write(*thing, 5);
  Actor candidate(increments());
  candidate.run_to(Step::Parking);
  EXPECT_EQ(holder.state(), State::Active) << "nobody is aborted for it who is older";
  ASSERT_TRUE(holder.finish());
  forget_age(holder.self);
  candidate.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 6);
}

TEST_F(IrrevocableTest, it_has_its_turn_behind_all_seniors_there_were_and_before_those_that_come) {
  for (Thread* senior : {&holder, &other}) {
    draw_age(senior->self);
    senior->start();
    senior->write(*make<Thing>(), 1);
  }
  Actor candidate(increments());
  Thread younger;
  for (Thread* senior : {&holder, &other}) {
    candidate.run_to(Step::Parking);
    draw_age(younger.self);
    EXPECT_EQ(descriptor->state().state(), State::Idle);
    ASSERT_TRUE(senior->finish());
    forget_age(senior->self);
  }
  candidate.run_to(Step::Requested);
  draw_age(holder.self);
  holder.start();
  holder.write(*thing, 5);
  candidate.run_to(Step::Doomed);
  EXPECT_EQ(holder.state(), State::Doomed);
  holder.abort();
  forget_age(holder.self);
  candidate.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 2);
}

// One that had drawn its age and not shown it when the token was taken: it is missed, once.
TEST_F(IrrevocableTest, who_has_the_token_is_the_oldest_whoever_shows_an_age) {
  draw_age(holder.self);
  const std::uint64_t age = holder.self.age.exchange(0);
  Actor irrevocable(increments());
  irrevocable.run_to(Step::Requested);
  holder.self.age = age;
  holder.start();
  holder.write(*thing, 5);
  irrevocable.run_to(Step::Parking);
  EXPECT_EQ(holder.state(), State::Doomed);
  holder.abort();
  forget_age(holder.self);
  irrevocable.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 2);
}

// ... who has not shown yet that it is, and is younger until then.
TEST_F(IrrevocableTest, an_older_call_does_not_get_the_token_either_while_somebody_has_it) {
  draw_age(other.self);
  const std::uint64_t age = other.self.age.exchange(0);
  draw_age(holder.self);
  const std::uint64_t own_age = holder.self.age.load();
  ASSERT_EQ(take_token(holder.self), Wait::Ended);
  holder.self.age = own_age;
  other.self.age = age;
  other.self.deadline = Clock::now();
  EXPECT_EQ(take_token(other.self), Wait::TimedOut);
  EXPECT_FALSE(other.self.has_token);
  give_back_token(holder.self);
}

// Two candidates that wait for each other would never end.
TEST_F(IrrevocableTest, a_candidate_gives_the_token_up_for_an_older_one_that_came_to_ask) {
  draw_age(holder.self);
  const std::uint64_t age = holder.self.age.exchange(0);  // drawn, and not shown yet
  Actor candidate(increments());
  candidate.run_to(Step::TookToken);
  holder.self.age = age;
  candidate.let_go();
  start_irrevocable(holder);
  holder.write(*thing, 5);
  ASSERT_TRUE(holder.finish());
  candidate.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 6);
}

TEST_F(IrrevocableTest, it_dooms_who_is_in_its_way_whatever_their_age_and_waits_until_they_have_ended) {
  for (const bool aged : {false, true}) {
    holder.start();
    holder.write(*thing, 5);
    Actor irrevocable(increments());
    irrevocable.run_to(Step::Requested);
    if (aged) draw_age(holder.self);
    irrevocable.run_to(Step::Parking);
    EXPECT_EQ(holder.state(), State::Doomed);
    EXPECT_EQ(descriptor->state().state(), State::Irrevocable);
    holder.abort();
    forget_age(holder.self);
    irrevocable.run_to_end();
  }
  EXPECT_EQ(holder.committed_number(*thing), 3);
}

TEST_F(IrrevocableTest, it_dooms_readers_of_what_it_read_and_comes_to_write) {
  mode = Mode::Read;
  holder.start();
  EXPECT_EQ(holder.number(*thing), 1);
  Actor irrevocable(increments());
  irrevocable.run_to(Step::Parking);
  EXPECT_EQ(holder.state(), State::Doomed);
  holder.abort();
  irrevocable.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 2);
}

TEST_F(IrrevocableTest, under_reads_exclusive_it_does_not_give_up_either) {
  holder.start();
  EXPECT_EQ(holder.number(*thing), 1);
  Actor irrevocable([this](Thread& thread) {
    descriptor = &thread.self;
    start_irrevocable(thread);
    set_exclusive(thread.self, true);
    EXPECT_EQ(thread.number(*thing), 1);
    EXPECT_TRUE(thread.finish());
  });
  irrevocable.run_to(Step::Parking);
  EXPECT_EQ(holder.state(), State::Doomed);
  holder.abort();
  irrevocable.run_to_end();
}

TEST_F(IrrevocableTest, a_senior_gives_up_for_it_instead_of_waiting_with_what_it_holds) {
  start_irrevocable(holder);
  holder.write(*thing, 5);
  other.start();
  draw_age(other.self);
  other.write(*own, 11);
  EXPECT_EQ(other.ask(*thing, 0, Mode::Write), Outcome::Aborted);
  EXPECT_EQ(holder.state(), State::Irrevocable);
  other.abort();
  ASSERT_TRUE(holder.finish());
  EXPECT_EQ(holder.committed_number(*thing), 5);
}

TEST_F(IrrevocableTest, a_write_outside_waits_for_it) {
  start_irrevocable(holder);
  holder.write(*thing, 5);
  Actor writer([this](Thread& thread) { thread.call([&] { thread.write(*thing, 7); }); });
  writer.run_to(Step::Parking);
  ASSERT_TRUE(holder.finish());
  writer.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 7);
}

}  // namespace
}  // namespace stmpy::core::test
