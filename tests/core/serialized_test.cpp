// The serialized flavour: every call into the core is made under one lock, which waits leave.
#include <mutex>
#include <random>
#include <thread>

#include "runtime/core/schedule.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class SerializedTest : public CoreTest {
 protected:
  SerializedTest() {
    static_assert(kSerialized);
    on_detach = [this] { lock.unlock(); };
    on_attach = [this] { lock.lock(); };
  }
  ~SerializedTest() override { on_detach = on_attach = nullptr; }
  // As an interpreter does between two of its instructions.
  void switch_threads() {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }

  std::mutex lock;
};

TEST_F(SerializedTest, no_total_is_ever_wrong) {
  constexpr int kAccounts = 4, kStart = 100;
  std::vector<Ref<Thing>> accounts;
  for (int made = 0; made < kAccounts; ++made) accounts.push_back(make<Thing>(kStart));
  const auto total = [&](Thread& thread) {
    long sum = 0;
    thread.call([&] {
      sum = 0;
      for (const auto& account : accounts) {
        sum += thread.number(*account);
        switch_threads();
      }
    });
    return sum;
  };
  std::vector<std::thread> threads;
  for (unsigned number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      const std::lock_guard guard(lock);
      Thread thread;
      std::mt19937 random(number);
      for (int round = 0; round < 1000; ++round) {
        Thing& source = *accounts[random() % kAccounts];
        Thing& target = *accounts[random() % kAccounts];
        thread.call([&] {
          thread.write(source, thread.number(source) - 1);
          switch_threads();
          EXPECT_GE(thread.committed_number(target), kStart - 4000);
          thread.write(target, thread.number(target, 0, Mode::Update) + 1);
          switch_threads();
        });
        if (round % 10 == 0) {
          EXPECT_EQ(total(thread), kAccounts * kStart);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Thread thread;
  const std::lock_guard guard(lock);
  EXPECT_EQ(total(thread), kAccounts * kStart);
}

}  // namespace
}  // namespace stmpy::core::test
