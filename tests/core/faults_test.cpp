// Every allocation fails once: what was begun is taken back, nothing is held any more, and the next one
// works.
#include "tests/core/support/faults.h"

#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <optional>

#include "runtime/core/irrevocable.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

constexpr int kThings = 100;  // more than the logs have room for at first

class FaultsTest : public CoreTest {
 protected:
  FaultsTest() {
    for (int made = 0; made < kThings; ++made) things.push_back(make<Thing>(made));
  }
  // All as it was: values, references, and no record held, claimed or watched.
  void expect_untouched() {
    for (int index = 0; index < kThings; ++index) {
      Thing& thing = *things[static_cast<std::size_t>(index)];
      EXPECT_EQ(thing.references, 1);
      for (const int attribute : {0, 1, 2, 3}) {
        EXPECT_EQ(static_cast<Object*>(thing.slot(attribute).load())->number, index);
        EXPECT_EQ(thing.record(attribute).bits() << (64 - Record::kVersionShift), 0U);
      }
    }
    EXPECT_EQ(thread.state(), State::Idle);
  }
  // The transaction that failed works where there is memory.
  template <class Body>
  void expect_reverted_each_time(Body body) {
    struct Enough {};
    const auto call = [&] {
      try {
        thread.call([&] {
          body();
          throw Enough{};
        });
      } catch (const Enough&) {
      }
    };
    EXPECT_GT(fail_each_allocation(call, [&](bool) { expect_untouched(); }), 0);
    EXPECT_EQ(thread.call(body), 1);
  }

  std::deque<Ref<Thing>> things;
  Thread thread;
};

TEST_F(FaultsTest, a_transaction_that_reads_and_writes_much) {
  expect_reverted_each_time([&] {
    for (const auto& thing : things) {
      thread.number(*thing, 0);
      thread.number(*thing, 1, Mode::Update);
      thread.write(*thing, 7, 1);
      thread.write(*thing, 8, 2);
    }
  });
}

TEST_F(FaultsTest, a_transaction_that_is_no_larger_than_the_one_before_allocates_nothing) {
  std::deque<Ref<Object>> values;
  for (int made = 0; made < kThings; ++made) values.push_back(make<Object>(made));
  const auto work = [&] {
    const int attempts = thread.call([&] {
      for (std::size_t index = 0; index < kThings; ++index) {
        thread.number(*things[index], 0);
        thread.number(*things[index], 1, Mode::Update);
        thread.write(*things[index], Ref<Object>(values[index]), 1);
      }
    });
    EXPECT_EQ(attempts, 1);
  };
  EXPECT_GT(fail_each_allocation(work, [](bool) {}), 0);
  EXPECT_EQ(fail_each_allocation(work, [](bool raised) { EXPECT_FALSE(raised); }), 0);
}

TEST_F(FaultsTest, a_transaction_with_savepoints) {
  struct Reverted {};
  expect_reverted_each_time([&] {
    for (const auto& thing : things) {
      thread.write(*thing, 7);
      try {
        thread.nested([&] {
          thread.write(*thing, 8);
          thread.write(*thing, 9, 1);
          throw Reverted{};
        });
      } catch (const Reverted&) {
      }
      thread.nested([&] { thread.write(*thing, 10, 2); });
    }
  });
}

// The savepoint that runs out of memory is taken back, and what is around it goes on.
TEST_F(FaultsTest, a_savepoint_whose_failure_is_caught) {
  const auto call = [&] {
    thread.call([&] {
      thread.write(*things[0], 7);
      try {
        thread.nested([&] {
          for (const auto& thing : things) thread.write(*thing, 8);
          throw std::bad_alloc();
        });
      } catch (const std::bad_alloc&) {
      }
      EXPECT_EQ(thread.number(*things[0]), 7);
      thread.write(*things[0], 0L);
    });
  };
  EXPECT_GT(fail_each_allocation(call, [&](bool) { expect_untouched(); }), 0);
}

TEST_F(FaultsTest, changes_that_are_made_at_the_commit) {
  static thread_local long applied;
  static constexpr Effect kCounts{[](void*, void*, std::int64_t amount, std::uint64_t) { applied += amount; },
                                  true};
  applied = 0;
  long expected = 0;
  const auto call = [&] {
    thread.call([&] {
      for (const auto& thing : things) {
        thread.ask(*thing, 0, Mode::Add);
        defer(thread.self, kCounts, thing.get(), nullptr, 1);
      }
    });
  };
  const auto check = [&](bool raised) {
    if (!raised) expected += kThings;
    EXPECT_EQ(applied, expected);
    expect_untouched();
  };
  EXPECT_GT(fail_each_allocation(call, check), 0);
}

TEST_F(FaultsTest, more_holders_than_a_word_has_room_for) {
  std::deque<Thread> readers(20);
  for (Thread& reader : readers) reader.start();
  for (Thread& reader : readers) {
    const auto read = [&] { reader.number(*things[0]); };
    fail_each_allocation(read, [&](bool raised) {
      EXPECT_EQ(things[0]->record(0).held_by(reader.self), raised ? Mode::None : Mode::Read);
    });
  }
  for (Thread& reader : readers) reader.finish();
  expect_untouched();
}

TEST_F(FaultsTest, clean_up_code_of_a_doomed_attempt) {
  const auto call = [&] {
    thread.start();
    try {
      thread.write(*things[0], 7);
      doom(thread.self);
      for (const auto& thing : things) {
        thread.ask(*thing, 0, Mode::Write, true);
        thread.ask(*thing, 1, Mode::Write, true);
      }
    } catch (...) {
      thread.abort();
      throw;
    }
    thread.abort();
  };
  EXPECT_GT(fail_each_allocation(call, [&](bool) { expect_untouched(); }), 0);
}

TEST_F(FaultsTest, a_thread_s_first_transaction) {
  const auto count = [] {
    long descriptors = 0;
    for ([[maybe_unused]] const Descriptor* each : all_descriptors()) ++descriptors;
    return descriptors;
  };
  const std::deque<Thread> others(static_cast<std::size_t>(count()));  // there is none left over
  const long before = count();
  std::optional<Thread> first;
  const auto adopt = [&] { first.emplace(); };
  const auto check = [&](bool raised) {
    EXPECT_EQ(raised, !first);
    EXPECT_EQ(count(), raised ? before : before + 1);
  };
  EXPECT_GT(fail_each_allocation(adopt, check), 3);
  first->call([&] { first->write(*things[0], 0L); });
  expect_untouched();
}

// Who has no memory to remember a hint goes without.
TEST_F(FaultsTest, giving_up_an_upgrade) {
  Thread other;
  draw_age(other.self);  // it is older, so that nobody waits for it
  int attempts = 0, failures = 0;
  thread.call([&] {
    if (++attempts == 20) return;
    Thing& contended = *things[static_cast<std::size_t>(attempts)];
    thread.write(*things[0], 7);
    thread.number(contended);
    other.start();
    other.number(contended);
    if (attempts > 3) fail_allocation(2);  // behind the list of who is in the way
    EXPECT_EQ(thread.ask(contended, 0, Mode::Write), Outcome::Aborted);
    failures += stop_failing();
    other.finish();
    throw Aborted{};
  });
  EXPECT_GT(failures, 0);
  expect_untouched();
}

TEST_F(FaultsTest, the_view_of_all_transactions) {
  std::deque<Thread> readers(3);
  for (Thread& reader : readers) {
    reader.start();
    for (const auto& thing : things) reader.number(*thing);
  }
  const auto look = [&] {
    const Observer observer(thread.self);
    EXPECT_EQ(transactions_in_progress(observer).size(), readers.size());
  };
  EXPECT_GT(fail_each_allocation(look, [&](bool) { EXPECT_TRUE(nobody_observes()); }), 0);
  for (Thread& reader : readers) reader.finish();
  expect_untouched();
}

TEST_F(FaultsTest, statistics_and_the_token_of_irrevocable_need_no_memory) {
  fail_allocations(1, 0);
  statistics();
  reset_statistics();
  EXPECT_EQ(take_token(thread.self), Wait::Ended);
  begin(thread.self);
  become_irrevocable(thread.self);
  EXPECT_TRUE(thread.finish());
  EXPECT_FALSE(stop_failing());
}

// A child without memory: what vanished threads left is finished all the same (what they held may be lost).
TEST_F(FaultsTest, a_forked_child) {
  Thread vanished, committed, waiting;
  vanished.start();
  for (const auto& thing : things) vanished.write(*thing, 7);
  committed.start();
  committed.number(*things[0], 1);
  waiting.start();
  waiting.number(*things[0], 2);
  doom(waiting.self);
  auto watch = std::make_unique<Watch>(waiting.self, draw_turn());
  waiting.abort();
  if (const pid_t child = fork()) {
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  } else {
    fail_allocations(1, 0);
    finish_attempts_after_fork(&thread.self);
    stop_failing();
    bool good = !waiting.self.watch;
    for (long index = 0; index < kThings; ++index)
      good = good && thread.committed_number(*things[static_cast<std::size_t>(index)]) == index;
    good = good && vanished.state() == State::Idle && committed.state() == State::Idle;
    _exit(good ? 0 : 1);
  }
  watch.reset();
  vanished.abort();
  committed.finish();
  thread.call([&] { thread.write(*things[0], 0L, 2); });  // takes the bit that nobody stands behind
  expect_untouched();
}

}  // namespace
}  // namespace stmpy::core::test
