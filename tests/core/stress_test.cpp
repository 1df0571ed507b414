// The bank: transfers that never create or lose money, seen from inside and from outside while they run.
#include <latch>
#include <random>

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

constexpr int kAccounts = 8, kStart = 1000;
constexpr long kPoison = -1'000'000;  // written by transactions, never committed

class BankTest : public CoreTest {
 protected:
  BankTest() {
    contention_period = std::chrono::milliseconds(1);
    for (int made = 0; made < kAccounts; ++made) accounts.push_back(make<Thing>(kStart));
  }
  ~BankTest() override {
    Thread thread;
    EXPECT_EQ(total(thread), kAccounts * kStart);
    for (const auto& account : accounts) {
      EXPECT_EQ(account->references, 1);
      EXPECT_EQ(account->record(0).bits() << (64 - Record::kVersionShift), 0U);
    }
  }
  long total(Thread& thread) {
    long sum = 0;
    thread.call([&] {
      sum = 0;
      for (const auto& account : accounts) sum += thread.number(*account);
    });
    return sum;
  }
  void transfer(Thread& thread, std::mt19937& random) {
    Thing& source = *accounts[random() % kAccounts];
    Thing& target = *accounts[random() % kAccounts];
    const long amount = static_cast<long>(random() % 100);
    const bool in_savepoint = random() % 4 == 0, fails = random() % 4 == 0;
    thread.call([&] {
      const long before = thread.number(source);
      thread.write(source, kPoison);
      thread.write(source, before - amount);
      const auto deposit = [&] {
        const long balance = thread.number(target, 0, Mode::Update);
        thread.write(target, kPoison);
        thread.write(target, balance + amount);
        if (fails) throw 1;
      };
      try {
        in_savepoint ? thread.nested(deposit) : deposit();
      } catch (int) {
        thread.write(source, before);
        if (!in_savepoint && &source != &target) thread.write(target, thread.number(target) - amount);
      }
    });
  }
  // Starts the threads of `parts` at once; `while_running` is played until those have ended.
  using Part = std::function<void(Thread&, std::mt19937&)>;
  void run(int count, const Part& part, const std::vector<Part>& while_running) {
    std::atomic<bool> stop{false};
    std::latch ready(count + static_cast<int>(while_running.size()));
    const auto start = [&](const Part& each, unsigned seed) {
      return std::thread([&, seed] {
        Thread thread;
        thread.quick = seed % 2 == 0;
        std::mt19937 random(seed);
        ready.arrive_and_wait();
        each(thread, random);
      });
    };
    std::vector<Part> watching;
    for (const Part& each : while_running) {
      watching.push_back([&stop, &each](Thread& thread, std::mt19937& random) {
        while (!stop) each(thread, random);
      });
    }
    std::vector<std::thread> workers, watchers;
    for (int number = 0; number < count; ++number)
      workers.push_back(start(part, static_cast<unsigned>(number)));
    for (const Part& each : watching) watchers.push_back(start(each, 99));
    for (std::thread& worker : workers) worker.join();
    stop = true;
    for (std::thread& watcher : watchers) watcher.join();
  }
  Part transfers(int rounds) {
    return [this, rounds](Thread& thread, std::mt19937& random) {
      for (int round = 0; round < rounds; ++round) transfer(thread, random);
    };
  }

  std::vector<Ref<Thing>> accounts;
};

TEST_F(BankTest, no_total_is_ever_wrong) {
  run(4, transfers(10'000),
      {[&](Thread& thread, std::mt19937&) { ASSERT_EQ(total(thread), kAccounts * kStart); }});
}

TEST_F(BankTest, nobody_outside_sees_an_uncommitted_balance) {
  const Part look = [&](Thread& thread, std::mt19937& random) {
    ASSERT_GT(thread.committed_number(*accounts[random() % kAccounts]), kPoison / 2);
  };
  run(2, transfers(15'000), {look, look});
}

TEST_F(BankTest, the_access_map_can_be_looked_at_at_any_time) {
  const Part look = [&](Thread& thread, std::mt19937&) {
    {
      const Observer observer(thread.self);
      for (const Seen& seen : transactions_in_progress(observer)) {
        for (const Seen::Pair& pair : seen.pairs) {
          const auto object = Ref<Object>::borrowed(static_cast<Object*>(pair.object));
          ASSERT_GT(object->references, 1);
          ASSERT_NE(pair.mode, Mode::None);
        }
      }
    }
    Observer::empty_limbo();
  };
  run(3, transfers(10'000), {look});
}

TEST_F(BankTest, accounts_that_nobody_owns_any_more_die_with_the_last_transaction_that_uses_them) {
  const Part replace = [&](Thread& thread, std::mt19937& random) {
    Thing& holder = *accounts[random() % kAccounts];
    for (int round = 0; round < 3000; ++round) {
      thread.call([&] {
        thread.write(holder, Ref<Object>::stolen(new Thing(round)), 1);
        const auto made = thread.read(holder, 1);
        auto& thing = static_cast<Thing&>(*made);
        thread.write(thing, thread.number(thing) + 1);
      });
    }
  };
  const Part look = [&](Thread& thread, std::mt19937& random) {
    const auto seen = thread.committed(*accounts[random() % kAccounts], 1);
    if (auto* thing = dynamic_cast<Thing*>(seen.get())) {
      ASSERT_GE(thread.committed_number(*thing), 1);
    }
  };
  run(3, replace, {look});
}

TEST_F(BankTest, one_counter_that_all_want) {
  Thing& counter = *accounts[0];
  constexpr int kThreads = 6, kRounds = 3000;
  run(kThreads,
      [&](Thread& thread, std::mt19937& random) {
        for (int round = 0; round < kRounds; ++round) {
          thread.call([&] {
            const Mode modes[] = {Mode::Read, Mode::Update, Mode::Write};
            thread.write(counter, thread.number(counter, 1, modes[random() % 3]) + 1, 1);
          });
        }
      },
      {[&](Thread& thread, std::mt19937&) { thread.call([&] { thread.number(counter, 1); }); }});
  EXPECT_EQ(Thread().committed_number(counter, 1), kStart + kThreads * kRounds);
}

}  // namespace
}  // namespace stmpy::core::test
