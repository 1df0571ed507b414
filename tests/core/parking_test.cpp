// Waiting and waking (protocol, section 4). No wake-up is lost: a sleeper looks for itself only once an hour
// here.
#include <sys/wait.h>
#include <unistd.h>

#include <deque>

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class ParkingTest : public CoreTest {
 protected:
  ParkingTest() {
    holder.start();
    holder.write(*thing, 2);
  }
  ~ParkingTest() override {
    if (holder.state() != State::Idle) holder.abort();
    on_detach = on_attach = nullptr;
  }
  Actor::Part reads() {
    return [this](Thread& thread) { thread.call([&] { seen = thread.number(*thing); }); };
  }
  static void await_sleepers(int count) {
    while (detached != count) std::this_thread::yield();
  }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(10);
  Thread holder;
  Descriptor* descriptor = nullptr;
  std::atomic<long> seen{0};
};

TEST_F(ParkingTest, an_end_between_registration_and_recheck_is_seen) {
  Actor waiter(reads());
  waiter.run_to(Step::Registered);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(seen, 2);
}

TEST_F(ParkingTest, a_wake_up_before_the_sleep_is_kept) {
  Actor waiter(reads());
  waiter.run_to(Step::Parking);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(seen, 2);
}

TEST_F(ParkingTest, who_sleeps_is_woken) {
  Actor waiter(reads());
  waiter.let_go();
  await_sleepers(1);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(seen, 2);
}

TEST_F(ParkingTest, all_who_sleep_are_woken) {
  std::deque<Actor> waiters;
  for (int made = 0; made < 8; ++made) waiters.emplace_back(reads()).let_go();
  await_sleepers(8);
  ASSERT_TRUE(holder.finish());
  for (Actor& waiter : waiters) waiter.run_to_end();
  EXPECT_EQ(holder.self.waiting_for_it, 0U);
  EXPECT_EQ(holder.self.first_waiter, nullptr);
}

// Waking before the status says IDLE would let this waiter register, find the attempt in progress, and sleep
// for good.
TEST_F(ParkingTest, who_registers_while_an_attempt_ends_is_woken) {
  ASSERT_TRUE(holder.finish());
  Actor ender([&](Thread& thread) { thread.call([&] { thread.write(*thing, 3); }); });
  ender.run_to(Step::Committing);
  Actor waiter(reads());
  waiter.run_to(Step::Refused);
  ender.run_to(Step::Released);
  waiter.run_to(Step::Parking);
  waiter.let_go();
  await_sleepers(1);
  ender.run_to_end();
  waiter.run_to_end();
  EXPECT_EQ(seen, 3);
}

TEST_F(ParkingTest, an_attempt_that_has_ended_is_not_waited_for_though_nobody_was_woken_yet) {
  ASSERT_TRUE(holder.finish());
  Actor ender([&](Thread& thread) { thread.call([&] { thread.write(*thing, 3); }); });
  ender.run_to(Step::Committing);
  Actor waiter(reads());
  waiter.run_to(Step::Refused);
  ender.run_to(Step::Ended);
  waiter.run_to_end();
  EXPECT_EQ(seen, 3);
}

TEST_F(ParkingTest, a_wake_up_of_an_earlier_wait_does_not_end_a_later_one) {
  Actor waiter([&](Thread& thread) {
    thread.self.parker.unpark();
    thread.call([&] { seen = thread.number(*thing); });
  });
  waiter.let_go();
  await_sleepers(1);
  EXPECT_EQ(seen, 0);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
}

TEST_F(ParkingTest, a_doom_ends_a_wait_in_place) {
  int attempts = 0;
  Actor waiter([&](Thread& thread) {
    descriptor = &thread.self;
    attempts = thread.call([&] { seen = thread.number(*thing); });
  });
  waiter.run_to(Step::Registered);
  std::uint64_t status = descriptor->status.load();
  ASSERT_TRUE(descriptor->status.compare_exchange(
      status, Status::of(Status{status}.generation(), State::Doomed).bits));
  descriptor->parker.unpark();
  waiter.run_to(Step::Undone);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(ParkingTest, a_deadline_ends_a_wait_in_place_and_leaves_nothing) {
  const auto readers_thing = make<Thing>(1);
  Thread reader;
  reader.start();
  reader.read(*readers_thing);
  Actor waiter([&](Thread& thread) {
    descriptor = &thread.self;
    const Clock::time_point soon = Clock::now() + std::chrono::milliseconds(2);
    EXPECT_THROW(thread.call({.deadline = soon}, [&] { thread.write(*readers_thing, 9); }), TimedOut);
  });
  waiter.run_to_end();
  EXPECT_FALSE(readers_thing->record(0).is_claimed_by(*descriptor));
  EXPECT_EQ(holder.committed_number(*readers_thing), 1);
  reader.abort();
}

TEST_F(ParkingTest, a_deadline_ends_the_wait_after_a_revert) {
  Actor waiter([&](Thread& thread) {
    const Clock::time_point soon = Clock::now() + std::chrono::milliseconds(2);
    EXPECT_THROW(thread.call({.deadline = soon},
                             [&] {
                               thread.write(*own, 11);
                               thread.write(*thing, 9);
                             }),
                 TimedOut);
    EXPECT_EQ(thread.state(), State::Idle);
  });
  waiter.run_to_end();
  EXPECT_EQ(holder.committed_number(*own), 10);
}

TEST_F(ParkingTest, a_deadline_never_cancels_what_needs_no_wait) {
  EXPECT_EQ(Thread().call({.deadline = Clock::now() - std::chrono::seconds(1)}, [] {}), 1);
  Thread thread;
  EXPECT_EQ(
      thread.call({.deadline = Clock::now() - std::chrono::seconds(1)}, [&] { thread.write(*own, 12); }), 1);
  EXPECT_EQ(thread.committed_number(*own), 12);
}

TEST_F(ParkingTest, a_deadline_that_passes_while_the_wait_ends_is_no_timeout) {
  Actor waiter([&](Thread& thread) {
    EXPECT_EQ(thread.call({.deadline = Clock::now()}, [&] { seen = thread.number(*thing); }), 1);
  });
  waiter.run_to(Step::Refused);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(seen, 2);
}

TEST_F(ParkingTest, a_signal_whose_handler_raises_ends_both_kinds_of_wait) {
  signal_period = std::chrono::milliseconds(1);
  for (const bool holds_something : {false, true}) {
    Actor waiter([&](Thread& thread) {
      descriptor = &thread.self;
      signal_handlers = [] { return true; };
      EXPECT_THROW(thread.call([&] {
        if (holds_something) thread.write(*own, 11);
        thread.write(*thing, 9);
      }),
                   Interrupted);
      EXPECT_EQ(thread.state(), State::Idle);
      EXPECT_EQ(thread.self.claimed, nullptr);
    });
    waiter.run_to_end();
    EXPECT_FALSE(thing->record(0).is_claimed_by(*descriptor));
    EXPECT_EQ(holder.committed_number(*own), 10);
  }
}

TEST_F(ParkingTest, a_signal_handler_that_does_not_raise_may_run_transactions_and_the_wait_goes_on) {
  signal_period = std::chrono::milliseconds(1);
  std::atomic<int> handled{0};
  Actor waiter([&](Thread& thread) {
    thread.start();
    thread.write(*own, 11);
    EXPECT_THROW(thread.read(*thing), Aborted);
    thread.abort();
    signal_handlers = [&] {
      thread.start();
      thread.write(*own, thread.number(*own, 1) + 1, 1);
      EXPECT_TRUE(thread.finish());
      ++handled;
      return false;
    };
    EXPECT_EQ(wait_for_blocker(thread.self), Wait::Ended);
  });
  waiter.let_go();
  while (handled < 3) std::this_thread::yield();
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(holder.committed_number(*own, 1), 10 + handled);
}

TEST_F(ParkingTest, a_thread_detaches_around_its_sleep_with_no_lock_held) {
  std::atomic<int> detaches{0}, attaches{0};
  const auto no_lock_is_held = [&] {
    const std::lock_guard guard(holder.self.waiters_mutex);
    const Thread adopts_a_descriptor;
  };
  on_detach = [&] {
    no_lock_is_held();
    ++detaches;
  };
  on_attach = [&] {
    no_lock_is_held();
    ++attaches;
  };
  Actor waiter(reads());
  waiter.let_go();
  await_sleepers(1);
  EXPECT_EQ(detaches, 1);
  EXPECT_EQ(attaches, 0);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(attaches, 1);
}

TEST_F(ParkingTest, a_forked_child_has_neither_the_sleepers_nor_their_claims) {
  Actor waiter([&](Thread& thread) { thread.call([&] { thread.write(*thing, 7); }); });
  waiter.let_go();
  await_sleepers(1);
  const pid_t child = fork();
  if (child == 0) {
    finish_attempts_after_fork(&holder.self);
    const bool claimed = (thing->record(0).bits() & Record::kFat) != 0 && holder.self.first_waiter;
    const bool committed = holder.finish();
    holder.call([&] { holder.write(*thing, holder.number(*thing) + 40); });
    _exit(!claimed && committed && holder.committed_number(*thing) == 42 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(holder.finish());
  waiter.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 7);
}

}  // namespace
}  // namespace stmpy::core::test
