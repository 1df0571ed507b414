// What a forked child does with the attempts of the threads that it has not got.
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <optional>

#include "runtime/core/irrevocable.h"
#include "runtime/core/schedule.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class ForkTest : public CoreTest {
 public:
  Ref<Thing> thing = make<Thing>(1), second = make<Thing>(2);
  Thread survivor, vanished, other;
};

TEST_F(ForkTest, an_attempt_in_progress_is_reverted_and_its_references_given_back) {
  vanished.start();
  vanished.write(*thing, 5);
  vanished.read(*second);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(statistics().values[static_cast<int>(Counter::Committed)], 0U);
  EXPECT_EQ(survivor.committed_number(*thing), 1);
  EXPECT_EQ(vanished.state(), State::Idle);
  EXPECT_EQ(thing->references, 1);
  EXPECT_EQ(second->references, 1);
  survivor.call([&] { survivor.write(*second, 3); });
}

TEST_F(ForkTest, a_committed_one_is_finished_forwards) {
  vanished.start();
  vanished.write(*thing, 5);
  std::uint64_t status = vanished.self.status.load();
  ASSERT_TRUE(vanished.self.status.compare_exchange(
      status, Status::of(Status{status}.generation(), State::Committed).bits));
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(survivor.committed_number(*thing), 5);
  EXPECT_EQ(thing->record(0).held_by(vanished.self), Mode::None);
  EXPECT_EQ(thing->references, 1);
}

TEST_F(ForkTest, a_doomed_one_is_reverted_once_however_far_it_had_come) {
  vanished.start();
  vanished.write(*thing, 5);
  vanished.write(*second, 6);
  doom(vanished.self);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(survivor.committed_number(*thing), 1);
  EXPECT_EQ(survivor.committed_number(*second), 2);
}

TEST_F(ForkTest, the_survivor_s_own_attempt_goes_on) {
  survivor.start();
  survivor.write(*thing, 5);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(survivor.state(), State::Active);
  survivor.write(*thing, 6);
  EXPECT_TRUE(survivor.finish());
  EXPECT_EQ(survivor.committed_number(*thing), 6);
}

TEST_F(ForkTest, claims_and_fat_records_of_the_vanished_hold_nobody_back) {
  vanished.start();
  vanished.read(*thing);
  other.start();
  ASSERT_EQ(thing->record(0).set_claim(other.self), Claim::Set);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(other.state(), State::Idle);
  EXPECT_EQ(thing->record(0).bits() & Record::kFat, 0U);
  survivor.call([&] { survivor.write(*thing, 3); });
}

TEST_F(ForkTest, finalisers_of_what_is_given_back_may_run_transactions) {
  auto value = make<Object>(7);
  value->finaliser = [&] { survivor.call([&] { survivor.write(*second, survivor.number(*thing) + 40); }); };
  vanished.start();
  vanished.write(*thing, std::move(value));
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(survivor.committed_number(*second), 41);
}

TEST_F(ForkTest, finalisers_of_what_is_given_back_find_every_attempt_finished) {
  std::vector<State> seen;
  auto value = make<Object>(7);
  value->finaliser = [&] {
    seen = {vanished.state(), other.state()};
    EXPECT_EQ(survivor.committed_number(*second), 2);
  };
  vanished.start();
  vanished.write(*thing, std::move(value));
  other.start();
  other.write(*second, 6);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(seen, (std::vector{State::Idle, State::Idle}));
}

TEST_F(ForkTest, what_an_ended_attempt_was_still_letting_go_of_is_given_back) {
  static constexpr Effect kNothing{[](void*, void*, std::int64_t, std::uint64_t) {}};
  auto third = make<Thing>(3);
  auto deferred = make<Object>(9);
  vanished.start();
  vanished.write(*thing, 5);
  vanished.read(*second);
  defer(vanished.self, kNothing, second.get(), Ref<Object>(deferred).give_away(), 1);
  // Its thread vanishes in a finaliser, in a transaction of that one's.
  auto value = make<Object>(7);
  value->finaliser = [&] {
    vanished.start();
    vanished.write(*third, 8);
    finish_attempts_after_fork(&survivor.self);
    for (const Thing* each : {thing.get(), second.get(), third.get()}) EXPECT_EQ(each->references, 1);
    EXPECT_EQ(deferred->references, 1);
  };
  defer(vanished.self, kNothing, second.get(), value.give_away(), 2);  // let go of before all else
  vanished.abort();
  EXPECT_EQ(survivor.committed_number(*third), 3);
}

TEST_F(ForkTest, a_token_that_was_taken_and_not_begun_with_is_free) {
  ASSERT_EQ(take_token(vanished.self), Wait::Ended);
  finish_attempts_after_fork(&survivor.self);
  ASSERT_EQ(take_token(survivor.self), Wait::Ended);
  give_back_token(survivor.self);
}

// ... also where the descriptor does not say yet that it has it.
TEST_F(ForkTest, a_token_that_was_just_taken_is_free) {
  static pid_t child;
  static Thread* survives;
  survives = &survivor;
  schedule_hook = [](Step step) {
    if (step != Step::TookToken) return;
    schedule_hook = nullptr;
    child = fork();
    if (child != 0) return;
    finish_attempts_after_fork(&survives->self);
    _exit(take_token(survives->self) == Wait::Ended ? 0 : 1);
  };
  survivor.self.deadline = Clock::now() + std::chrono::seconds(5);
  ASSERT_EQ(take_token(vanished.self), Wait::Ended);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  give_back_token(vanished.self);
}

// The child of a thread that forks between another one's replay and its release: nothing is replayed twice.
TEST_F(ForkTest, an_attempt_whose_log_was_replayed_already_is_not_replayed_again) {
  static ForkTest* test;
  static pid_t child;
  static bool died;
  test = this;
  auto value = make<Object>(5);
  value->finaliser = [] { died = true; };
  vanished.start();
  vanished.write(*thing, std::move(value));
  schedule_hook = [](Step step) {
    if (step != Step::Undone) return;
    schedule_hook = nullptr;
    child = fork();
    if (child != 0) return;
    finish_attempts_after_fork(&test->survivor.self);
    _exit(died && test->survivor.committed_number(*test->thing) == 1 ? 0 : 1);
  };
  vanished.abort();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// ... and between two effects of a commit: none is applied twice.
TEST_F(ForkTest, effects_that_were_applied_already_are_not_applied_again) {
  static Thread* forks_in;
  static pid_t child;
  static int applied[2];
  forks_in = &survivor;
  static const Effect kCounts{[](void*, void*, std::int64_t which, std::uint64_t) {
    ++applied[which];
    if (which == 0 || child != -1) return;
    child = fork();
    if (child != 0) return;
    applied[1] = 0;  // the one that was being applied is begun anew
    finish_attempts_after_fork(&forks_in->self);
    _exit(applied[0] == 1 && applied[1] == 1 ? 0 : 1);
  }};
  child = -1;
  applied[0] = applied[1] = 0;
  vanished.start();
  vanished.ask(*thing, 0, Mode::Add);
  for (const int which : {0, 1}) defer(vanished.self, kCounts, thing.get(), nullptr, which);
  ASSERT_TRUE(vanished.finish());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, calls_and_candidates_of_the_vanished_are_older_than_nobody) {
  ASSERT_EQ(take_token(vanished.self), Wait::Ended);  // and has not begun with it
  draw_age(other.self);
  finish_attempts_after_fork(&survivor.self);
  EXPECT_EQ(other.self.age, 0U);
  survivor.self.deadline = Clock::now();
  EXPECT_EQ(take_token(survivor.self), Wait::Ended);
  survivor.self.deadline = kNoDeadline;
  survivor.start();
  survivor.abort();
}

TEST_F(ForkTest, who_observed_is_gone) {
  if constexpr (kSerialized) GTEST_SKIP() << "with the GIL nobody observes while another thread runs";
  alignas(Observer) unsigned char in_the_vanished_thread[sizeof(Observer)];
  new (in_the_vanished_thread) Observer(vanished.self);
  EXPECT_FALSE(nobody_observes());
  finish_attempts_after_fork(&survivor.self);
  EXPECT_TRUE(nobody_observes());
}

TEST_F(ForkTest, a_child_of_a_moment_in_which_somebody_registered_as_a_waiter_goes_on) {
  survivor.start();
  survivor.write(*thing, 5);
  survivor.self.waiters_mutex.lock();
  survivor.self.waiting_for_it = 1;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(10);
    finish_attempts_after_fork(&survivor.self);
    survivor.self.waiting_for_it = 1;
    _exit(survivor.finish() ? 0 : 1);
  }
  survivor.self.waiting_for_it = 0;
  survivor.self.waiters_mutex.unlock();
  survivor.abort();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(ForkTest, a_real_child_goes_on_and_its_parent_too) {
  vanished.start();
  vanished.write(*thing, 5);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    finish_attempts_after_fork(&survivor.self);
    retire_descriptors_of_others(&survivor.self);
    const bool reverted = survivor.committed_number(*thing) == 1;
    survivor.call([&] { survivor.write(*thing, 9); });
    // New threads get what those that are gone had, each one.
    Thread first, next;
    const bool apart =
        &first.self != &next.self && &first.self != &survivor.self && &next.self != &survivor.self;
    const bool again = first.self.id <= 3 && next.self.id <= 3;
    _exit(reverted && apart && again && survivor.committed_number(*thing) == 9 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(vanished.finish());
  EXPECT_EQ(survivor.committed_number(*thing), 5);
}

}  // namespace
}  // namespace stmpy::core::test
