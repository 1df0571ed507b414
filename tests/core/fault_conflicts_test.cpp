// Memory ends while transactions are in each other's way: nobody is doomed for nothing, no claim and no
// wake-up is lost.
#include <array>
#include <deque>
#include <latch>
#include <random>
#include <thread>

#include "runtime/core/irrevocable.h"
#include "tests/core/support/faults.h"
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class FaultConflictsTest : public CoreTest {
 protected:
  ~FaultConflictsTest() override { on_detach = nullptr; }
  void expect_free() {
    for (const auto& each : {thing, own}) {
      EXPECT_EQ(each->references, 2);
      EXPECT_EQ(each->record(0).bits() << (64 - Record::kVersionShift), 0U);
    }
  }
  // Reads the thing at each attempt, and holds it until it is told to go on.
  Actor::Part holds(Actor*& actor) {
    return [this, &actor](Thread& reader) {
      reader.call([&] {
        reader.number(*thing);
        actor->stop_here();
        reader.number(*own, 1);  // here it learns that it has been doomed
      });
    };
  }
  // A call that holds something and then wants what some others read.
  template <class Begin>
  void wants_what_is_held(Begin begin) {
    Thread senior;
    const auto call = [&] {
      const auto attempt = [&] {
        senior.write(*own, 1);
        const long now = senior.number(*thing);
        try {
          senior.write(*thing, now + 1);
        } catch (const std::bad_alloc&) {
          EXPECT_EQ(senior.self.claimed, nullptr);
          EXPECT_FALSE(thing->record(0).is_claimed_by(senior.self));
          throw;
        }
      };
      begin(senior, attempt);
    };
    int committed = 0;
    constexpr int kHolders = 5;
    const auto with_holders = [&] {
      std::array<Actor*, kHolders> actors{};
      std::deque<Actor> holders;
      for (Actor*& actor : actors) {
        holders.emplace_back(holds(actor));
        actor = &holders.back();
        actor->run_to_stop();
      }
      // They end when the senior sleeps, and not before.
      const std::thread::id of_senior = std::this_thread::get_id();
      on_detach = [&] {
        if (std::this_thread::get_id() == of_senior)
          for (Actor& holder : holders) holder.let_go();
      };
      run(call, [&](bool raised) {
        EXPECT_FALSE(senior.self.has_token);
        if (!raised) ++committed;
      });
      on_detach = nullptr;
      for (Actor& holder : holders) holder.run_to_end();
      expect_free();
      EXPECT_EQ(senior.committed_number(*thing), committed);
    };
    for (number = 1; with_holders(), failed && !HasFailure(); ++number) {
    }
    EXPECT_GT(number, 1);
  }
  // Once, with the allocation of that number failing.
  template <class Scenario, class Check>
  void run(Scenario scenario, Check check) {
    bool raised = false;
    fail_allocation(number);
    try {
      scenario();
    } catch (const std::bad_alloc&) {
      raised = true;
    }
    failed = stop_failing();
    check(raised);
  }

  Ref<Thing> thing = make<Thing>(0), own = make<Thing>(0);
  long number = 1;
  bool failed = false;
};

TEST_F(FaultConflictsTest, a_senior_that_has_to_doom_who_is_in_its_way) {
  wants_what_is_held([](Thread& senior, const auto& attempt) {
    bool first = true;
    senior.call([&] {
      if (std::exchange(first, false)) throw Aborted{};  // gives it an age
      attempt();
    });
  });
}

TEST_F(FaultConflictsTest, an_irrevocable_one) {
  wants_what_is_held([](Thread& irrevocable, const auto& attempt) {
    ASSERT_EQ(take_token(irrevocable.self), Wait::Ended);
    begin(irrevocable.self);
    become_irrevocable(irrevocable.self);
    try {
      attempt();
    } catch (...) {
      irrevocable.abort();
      throw;
    }
    EXPECT_TRUE(irrevocable.finish());
  });
}

TEST_F(FaultConflictsTest, a_wait_for_a_change) {
  Thread waiter;
  const auto call = [&] {
    waiter.call([&] {
      waiter.number(*thing, 1);
      if (waiter.number(*thing) == 0) throw Retry{};
    });
  };
  Thread writer;
  on_detach = [&] { writer.call([&] { writer.write(*thing, 1); }); };
  for (; number < 100; ++number) {
    run(call, [&](bool) { EXPECT_EQ(waiter.self.watch, nullptr); });
    if (!failed) break;
    writer.call([&] { writer.write(*thing, 0L); });  // takes the bits that a failed wait may have left
    expect_free();
  }
  EXPECT_GT(number, 3);
  EXPECT_LT(number, 100);
}

// The commit has no way back: who is to be woken is woken.
TEST_F(FaultConflictsTest, a_commit_that_wakes_sleepers) {
  Thread writer;
  for (long value = 1; number < 100; ++number, ++value) {
    std::deque<Actor> waiters;
    for (int made = 0; made < 3; ++made) {
      waiters.emplace_back([&](Thread& waiter) {
        waiter.call([&] {
          if (waiter.number(*thing) != value) throw Retry{};
        });
      });
      waiters.back().let_go();
    }
    while (detached != 3) std::this_thread::yield();
    writer.start();
    writer.write(*thing, value);
    std::vector<Sleeper>().swap(writer.self.to_wake);
    bool has_committed = false;
    run([&] { has_committed = writer.finish(); }, [&](bool raised) { EXPECT_FALSE(raised); });
    EXPECT_TRUE(has_committed);
    for (Actor& waiter : waiters) waiter.run_to_end();
    if (!failed) break;
  }
  EXPECT_GT(number, 4);
}

// What somebody may be looking at is not given back under its eyes: where there is no memory to keep it, it
// is lost.
TEST_F(FaultConflictsTest, references_that_others_observe) {
  Thread writer, observing;
  int lost = 0, lost_of_thing = 0;
  for (; number < 100; ++number) {
    const auto replaced = writer.committed(*thing);
    writer.start();
    writer.write(*thing, number);
    {
      const Observer observer(observing.self);
      run([&] { writer.finish(); }, [&](bool raised) { EXPECT_FALSE(raised); });
    }
    Observer::empty_limbo();
    EXPECT_EQ(writer.committed_number(*thing), number);
    for (; replaced->references > 1; ++lost) release(replaced.get());
    for (; thing->references > 1; ++lost_of_thing) release(thing.get());
    if (!failed) break;
  }
  EXPECT_GT(number, 1);
  EXPECT_EQ(lost + lost_of_thing, number - 1);
}

// Threads transfer while one allocation in fifty fails; none of it is ever half done.
TEST_F(FaultConflictsTest, the_bank) {
  constexpr int kAccounts = 6, kEach = 100, kThreads = 4, kRounds = 3000;
  contention_period = std::chrono::milliseconds(1);
  std::deque<Ref<Thing>> accounts;
  for (int made = 0; made < kAccounts; ++made) accounts.push_back(make<Thing>(kEach));
  std::atomic<int> failures{0};
  std::latch ready(kThreads);
  const auto play = [&](unsigned seed) {
    Thread thread;
    std::mt19937 random(seed);
    ready.arrive_and_wait();
    for (int round = 0; round < kRounds; ++round) {
      Thing& source = *accounts[random() % kAccounts];
      Thing& target = *accounts[random() % kAccounts];
      fail_allocations(0.02, static_cast<unsigned>(random()));
      try {
        thread.call([&] {
          for (const auto& account : accounts) thread.number(*account);
          thread.write(source, thread.number(source) - 1);
          thread.nested([&] { thread.write(target, thread.number(target) + 1); });
        });
      } catch (const std::bad_alloc&) {
        ++failures;
      }
      stop_failing();
      ASSERT_EQ(thread.state(), State::Idle);
    }
  };
  std::deque<std::thread> threads;
  for (unsigned seed = 0; seed < kThreads; ++seed) threads.emplace_back(play, seed);
  for (std::thread& each : threads) each.join();
  Thread thread;
  long total = 0;
  for (const auto& account : accounts) {
    total += thread.committed_number(*account);
    EXPECT_EQ(account->references, 1);
    EXPECT_EQ(account->record(0).bits() << (64 - Record::kVersionShift), 0U);
  }
  EXPECT_EQ(total, kAccounts * kEach);
  EXPECT_GT(failures, 0);
}

}  // namespace
}  // namespace stmpy::core::test
