// retry: who waits for a change of what it has read (protocol, sections 6 and 8). No wake-up is lost: a
// sleeper looks for itself only once an hour here.
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <mutex>

#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class WatchTest : public CoreTest {
 protected:
  ~WatchTest() override { on_detach = on_attach = nullptr; }

  // A call that waits until the attribute is not 1 any more.
  Actor::Part waits_for(Thing& of, int attribute = 0) {
    return [this, &of, attribute](Thread& thread) {
      attempts += thread.call([&] {
        if (thread.number(of, attribute) == 1) throw Retry{};
      });
    };
  }
  Actor::Part waits() { return waits_for(*thing); }
  Actor::Part writes(long number) {
    return [this, number](Thread& thread) { thread.call([&] { thread.write(*thing, number); }); };
  }
  void write(long number, int attribute = 0) {
    writer.call([&] { writer.write(*thing, number, attribute); });
  }
  static void await_sleepers(int count) {
    while (detached != count) std::this_thread::yield();
  }
  bool is_watched(int attribute = 0) { return thing->record(attribute).is_watched(); }

  Ref<Thing> thing = make<Thing>(1), other = make<Thing>(1);
  Thread writer;
  std::atomic<int> attempts{0};
};

TEST_F(WatchTest, a_commit_that_changes_what_was_read_wakes) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  EXPECT_TRUE(is_watched());
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
  EXPECT_FALSE(is_watched());
}

// At each step between the read and the sleep: a change that comes there is not missed.
TEST_F(WatchTest, a_change_before_the_sleep_is_kept) {
  for (const Step step : {Step::Watching, Step::Undone, Step::Released, Step::Ended, Step::Parking}) {
    attempts = 0;
    write(1);
    Actor waiter(waits());
    waiter.run_to(step);
    Actor changer(writes(2));
    if (step == Step::Watching || step == Step::Undone) {  // not released yet: it has to wait for its turn
      changer.run_to(Step::Parking);
      changer.let_go();
    } else {
      changer.run_to_end();
    }
    waiter.run_to_end();
    EXPECT_EQ(attempts, 2) << "step " << static_cast<int>(step);
  }
}

// The same at each step of the commit, for a waiter that comes meanwhile.
TEST_F(WatchTest, who_comes_to_watch_while_a_commit_ends_misses_nothing) {
  for (const Step step : {Step::Committing, Step::Taken, Step::Released, Step::Ended}) {
    attempts = 0;
    write(1);
    Actor first(waits_for(*thing)), second(waits_for(*thing));
    first.let_go();  // so that there is a bit to take
    await_sleepers(1);
    Actor changer(writes(2));
    changer.run_to(step);
    second.let_go();
    changer.run_to_end();
    first.run_to_end();
    second.run_to_end();
    EXPECT_LE(attempts, 4) << "step " << static_cast<int>(step);
  }
}

TEST_F(WatchTest, one_who_registers_between_the_bit_and_the_look_up_is_woken_by_the_next_change_too) {
  Actor first(waits());
  first.let_go();
  await_sleepers(1);
  Actor changer([&](Thread& thread) { thread.call([&] { thread.write(*thing, 1); }); });
  changer.run_to(Step::Taken);
  Actor second(waits());
  second.run_to(Step::Parking);
  changer.run_to_end();
  second.let_go();
  await_sleepers(2);
  write(2);
  first.run_to_end();
  second.run_to_end();
}

TEST_F(WatchTest, a_change_of_something_else_wakes_nobody) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  write(2, 1);
  writer.call([&] { writer.write(*other, 2); });
  EXPECT_TRUE(is_watched());
  EXPECT_EQ(detached, 1);
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, whatever_was_read_wakes) {
  for (const int attribute : {0, 1, 2}) {
    attempts = 0;
    for (const int each : {0, 1, 2}) write(1, each);
    Actor waiter([&](Thread& thread) {
      attempts = thread.call([&] {
        if (thread.number(*thing, 0) + thread.number(*thing, 1) + thread.number(*thing, 2) == 3)
          throw Retry{};
      });
    });
    waiter.let_go();
    await_sleepers(1);
    write(2, attribute);
    waiter.run_to_end();
    EXPECT_EQ(attempts, 2);
  }
}

TEST_F(WatchTest, what_a_reverted_part_has_read_wakes_too) {
  Actor waiter([&](Thread& thread) {
    attempts = thread.call([&] {
      try {
        thread.nested([&] {
          if (thread.number(*thing) == 1) throw Retry{};
        });
      } catch (const Retry&) {
        if (thread.number(*other) == 1) throw;
      }
    });
  });
  waiter.let_go();
  await_sleepers(1);
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, what_the_waiter_has_written_is_taken_back_and_wakes_nobody) {
  Actor first(waits());
  first.let_go();
  await_sleepers(1);
  Actor second([&](Thread& thread) {
    thread.call([&] {
      const long before = thread.number(*thing);
      thread.write(*thing, 7);
      if (before == 1) throw Retry{};
    });
  });
  second.let_go();
  await_sleepers(2);
  EXPECT_EQ(writer.committed_number(*thing), 1);
  EXPECT_TRUE(is_watched());
  write(2);
  second.run_to_end();
  first.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, an_abort_of_others_leaves_the_bit) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  for (const bool constant : {true, false}) {
    writer.call([&] { writer.read(*thing)->constant = constant; });
    writer.start();
    writer.write(*thing, 2);
    writer.abort();
    EXPECT_TRUE(is_watched());
    EXPECT_EQ(detached, 1);
  }
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, the_same_constant_written_back_wakes_nobody_and_leaves_the_bit) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  const Ref<Object> before = writer.committed(*thing);
  writer.call([&] { writer.write(*thing, before); });
  writer.call([&] {  // there and back, in two parts
    writer.write(*thing, 5);
    writer.nested([&] { writer.write(*thing, before); });
  });
  EXPECT_TRUE(is_watched());
  EXPECT_EQ(detached, 1);
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, the_same_object_with_other_contents_wakes) {
  const auto list = make<Object>(1);
  list->constant = false;
  writer.call([&] { writer.write(*thing, list); });
  bool changed = false;
  Actor waiter([&](Thread& thread) {
    attempts = thread.call([&] {
      thread.read(*thing);
      if (!changed) throw Retry{};
    });
  });
  waiter.let_go();
  await_sleepers(1);
  changed = true;
  writer.call([&] { writer.write(*thing, list); });
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, an_attribute_that_comes_or_goes_wakes) {
  Actor waiter([&](Thread& thread) {
    thread.call([&] {
      if (thread.read(*thing).get()) throw Retry{};
    });
    thread.call([&] {
      if (!thread.read(*thing).get()) throw Retry{};
    });
  });
  waiter.let_go();
  await_sleepers(1);
  writer.call([&] { writer.write(*thing, Ref<Object>()); });
  while (!is_watched()) std::this_thread::yield();
  write(2);
  waiter.run_to_end();
}

TEST_F(WatchTest, an_attribute_that_came_and_went_again_has_not_changed) {
  writer.call([&] { writer.write(*thing, Ref<Object>()); });
  Actor waiter([&](Thread& thread) {
    attempts = thread.call([&] {
      if (!thread.read(*thing).get()) throw Retry{};
    });
  });
  waiter.let_go();
  await_sleepers(1);
  writer.call([&] {
    writer.write(*thing, 5);
    writer.write(*thing, Ref<Object>());
  });
  EXPECT_TRUE(is_watched());
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

// As an object's structure: what is logged of it are the values of several slots.
TEST_F(WatchTest, a_pair_with_several_slots_has_changed) {
  Actor waiter([&](Thread& thread) {
    thread.call([&] {
      if (thread.number(*thing, 1) == 1) {
        thread.read(*thing, 0);
        throw Retry{};
      }
    });
  });
  waiter.let_go();
  await_sleepers(1);
  writer.call([&] {
    writer.write(*thing, writer.read(*thing), 0);
    const auto before = writer.committed(*thing, 1);
    reserve_entry(writer.self);
    log_slot(writer.self, thing->record(0), thing.get(), thing->slot(1), Ref<Object>(before).give_away(),
             false);
    thing->slot(1).store(make<Object>(2).give_away());
    release(before.get());  // the slot's
  });
  waiter.run_to_end();
}

TEST_F(WatchTest, changes_that_commute_wake) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  static constexpr Effect kSet{[](void* object, void* reference, std::int64_t, std::uint64_t) {
    auto* to = static_cast<Thing*>(object);
    retain(static_cast<Object*>(reference));
    release(static_cast<Object*>(to->slot(0).exchange(reference)));
  }};
  writer.call([&] {
    writer.ask(*thing, 0, Mode::Add);
    defer(writer.self, kSet, thing.get(), make<Object>(2).give_away(), 0);
  });
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, a_fat_record_is_watched_as_a_thin_one_is) {
  for (const bool changes : {true, false}) {
    write(1);
    attempts = 0;
    std::deque<Actor> waiters;
    for (int made = 0; made < 6; ++made) waiters.emplace_back(waits()).run_to(Step::Watching);
    ASSERT_NE(thing->record(0).bits() & Record::kFat, 0U);
    EXPECT_TRUE(is_watched());
    for (Actor& waiter : waiters) waiter.let_go();
    await_sleepers(6);
    EXPECT_TRUE(is_watched());
    if (!changes) {
      const Ref<Object> before = writer.committed(*thing);
      writer.call([&] { writer.write(*thing, before); });
      EXPECT_TRUE(is_watched());
    }
    write(2);
    for (Actor& waiter : waiters) waiter.run_to_end();
    EXPECT_EQ(attempts, 12);
  }
}

TEST_F(WatchTest, a_pair_held_under_exclusive_reads_is_watched) {
  Actor waiter([&](Thread& thread) {
    attempts = thread.call({.exclusive = true}, [&] {
      if (thread.number(*thing) == 1) throw Retry{};
    });
  });
  waiter.let_go();
  await_sleepers(1);
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, a_record_released_without_an_attempt_wakes) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  Record& record = thing->record(0);
  ASSERT_TRUE(record.take_if_free(writer.self.thin_id, Mode::Write));
  release_and_wake(writer.self, record, false);
  EXPECT_TRUE(is_watched());
  ASSERT_TRUE(record.take_if_free(writer.self.thin_id, Mode::Write));
  const auto old =
      Ref<Object>::stolen(static_cast<Object*>(thing->slot(0).exchange(make<Object>(2).give_away())));
  release_and_wake(writer.self, record, true);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, all_who_watch_are_woken_in_the_order_in_which_they_came) {
  std::deque<Actor> waiters;
  for (int number = 0; number < 8; ++number) {
    waiters.emplace_back([&, number](Thread& thread) {
      // Each reads another one first, so that the table has them in different places.
      thread.call([&] {
        thread.number(*other, number % 4);
        if (thread.number(*thing, number % 2) == 1) throw Retry{};
      });
    });
    waiters.back().let_go();
    await_sleepers(number + 1);
  }
  Actor changer([&](Thread& thread) {
    thread.call([&] {
      thread.write(*thing, 2, 1);
      thread.write(*thing, 2, 0);
    });
    EXPECT_TRUE(thread.self.to_wake.empty());
  });
  changer.run_to(Step::Waking);
  for (Actor& waiter : waiters) {
    &waiter == &waiters.back() ? changer.run_to_end() : changer.run_to(Step::Waking);
    waiter.run_to_end();  // the others sleep
  }
}

TEST_F(WatchTest, who_comes_first_is_first_in_the_batch) {
  Thread a, b, c;
  const std::uint64_t first = draw_turn(), second = draw_turn(), third = draw_turn();
  writer.self.to_wake = {{third, &c.self}, {first, &a.self}, {second, &b.self}};
  wake_noted(writer.self);
  EXPECT_TRUE(writer.self.to_wake.empty());
  for (Thread* thread : {&a, &b, &c}) thread->self.parker.park(kNoDeadline);
}

TEST_F(WatchTest, a_deadline_ends_the_wait_with_nothing_changed) {
  Actor waiter([&](Thread& thread) {
    const Clock::time_point soon = Clock::now() + std::chrono::milliseconds(2);
    EXPECT_THROW(thread.call({.deadline = soon},
                             [&] {
                               thread.write(*other, 9);
                               thread.number(*thing);
                               throw Retry{};
                             }),
                 TimedOut);
    EXPECT_EQ(thread.state(), State::Idle);
    EXPECT_EQ(thread.self.watch, nullptr);
  });
  waiter.run_to_end();
  EXPECT_EQ(writer.committed_number(*other), 1);
}

TEST_F(WatchTest, a_change_that_came_before_the_deadline_was_looked_at_counts) {
  Actor waiter([&](Thread& thread) {
    attempts = thread.call({.deadline = Clock::now()}, [&] {
      if (thread.number(*thing) == 1) throw Retry{};
    });
  });
  waiter.run_to(Step::Ended);
  write(2);
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, a_signal_whose_handler_raises_ends_the_wait) {
  signal_period = std::chrono::milliseconds(1);
  Actor waiter([&](Thread& thread) {
    signal_handlers = [] { return true; };
    EXPECT_THROW(thread.call([&] {
      thread.number(*thing);
      throw Retry{};
    }),
                 Interrupted);
    EXPECT_EQ(thread.self.watch, nullptr);
  });
  waiter.run_to_end();
}

TEST_F(WatchTest, a_handler_may_change_what_its_own_thread_waits_for) {
  signal_period = std::chrono::milliseconds(1);
  Actor waiter([&](Thread& thread) {
    bool handled = false;
    signal_handlers = [&] {
      if (handled) return false;
      handled = true;
      thread.start();
      thread.write(*thing, 2);
      EXPECT_TRUE(thread.finish());
      return false;
    };
    attempts = thread.call([&] {
      if (thread.number(*thing) == 1) throw Retry{};
    });
  });
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, a_handler_may_wait_itself_and_the_outer_wake_up_is_kept) {
  signal_period = std::chrono::milliseconds(1);
  std::atomic<bool> inner_waits{false};
  Actor waiter([&](Thread& thread) {
    bool handled = false;
    signal_handlers = [&] {
      if (std::exchange(handled, true)) return false;
      thread.call([&] {
        inner_waits = true;
        if (thread.number(*other) == 1) throw Retry{};
      });
      return false;
    };
    attempts = thread.call([&] {
      if (thread.number(*thing) == 1) throw Retry{};
    });
  });
  waiter.let_go();
  while (!inner_waits || !other->record(0).is_watched()) std::this_thread::yield();
  write(2);
  writer.call([&] { writer.write(*other, 2); });
  waiter.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(WatchTest, who_is_alone_does_not_wait) {
  Actor waiter([&](Thread& thread) {
    alone = true;
    EXPECT_THROW(thread.call([&] {
      thread.number(*thing);
      throw Retry{};
    }),
                 Interrupted);
  });
  waiter.run_to_end();
}

TEST_F(WatchTest, what_is_watched_lives_and_nothing_does_behind_the_wait) {
  auto dying = make<Thing>(1);
  Thing* const watched = dying.get();
  Actor waiter([this, watched](Thread& thread) {
    thread.call([&] {
      if (attempts++ == 0) {
        thread.number(*watched, 0);
        thread.number(*other);
        thread.number(*watched, 1);
        throw Retry{};
      }
    });
  });
  waiter.let_go();
  await_sleepers(1);
  EXPECT_EQ(watched->references, 2);
  dying = Ref<Thing>();
  EXPECT_EQ(watched->references, 1);
  EXPECT_EQ(other->references, 2);
  writer.call([&] { writer.write(*other, 2); });
  waiter.run_to_end();
  EXPECT_EQ(other->references, 1);
}

// A call that was left between two attempts ends when it is let go of, which may be in another's wait.
TEST_F(WatchTest, waits_of_one_thread_may_end_in_any_order) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (int made = 0; made < 3; ++made) {
    writer.start();
    writer.read(*thing);
    watches.push_back(std::make_unique<Watch>(writer.self, 1));
    writer.abort();
  }
  for (const std::size_t index : {1, 2, 0}) {
    watches[index].reset();
    EXPECT_EQ(writer.self.watch, index == 1 ? watches[2].get() : index == 2 ? watches[0].get() : nullptr);
  }
}

TEST_F(WatchTest, a_thread_sleeps_detached_with_no_lock_held) {
  on_detach = on_attach = [&] {
    // Another record of the same bucket may be looked up meanwhile.
    thing->record(0).set_watched();
    note_watchers(writer.self, thing->record(3));
  };
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  write(2);
  waiter.run_to_end();
}

TEST_F(WatchTest, a_forked_child_has_no_watchers_of_others) {
  Actor waiter(waits());
  waiter.let_go();
  await_sleepers(1);
  const pid_t child = fork();
  if (child == 0) {
    finish_attempts_after_fork(&writer.self);
    const bool gone = thing->references == 1;
    write(2);
    note_watchers(writer.self, thing->record(0));
    _exit(gone && writer.self.to_wake.empty() && writer.committed_number(*thing) == 2 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  write(2);
  waiter.run_to_end();
}

TEST_F(WatchTest, a_forked_child_keeps_the_watch_of_the_thread_that_forked) {
  signal_period = std::chrono::milliseconds(1);
  int status = -1;
  Actor waiter([&](Thread& thread) {
    bool handled = false, in_child = false;
    signal_handlers = [&] {
      if (std::exchange(handled, true)) return false;
      const pid_t child = fork();
      if (child == 0) {
        in_child = true;
        finish_attempts_after_fork(&thread.self);
      } else {
        waitpid(child, &status, 0);
        thread.start();
        thread.write(*thing, 2);
        EXPECT_TRUE(thread.finish());
      }
      return false;
    };
    int runs = 0;
    thread.call([&] {
      const bool waiting = thread.number(*thing) == 1;
      if (++runs == 2 && in_child) {
        alarm(10);
        note_watchers(thread.self, thing->record(0));  // nobody is left in the table
        _exit(waiting && thread.self.to_wake.empty() ? 0 : 1);
      }
      if (waiting) throw Retry{};
    });
  });
  waiter.run_to_end();
  EXPECT_EQ(status, 0);
}

// Producers and consumers over one place: each item is taken once, nobody is left asleep.
TEST_F(WatchTest, a_place_that_is_handed_over_many_times) {
  constexpr long kItems = 500;
  std::atomic<long> taken{0};
  write(0);
  std::deque<Actor> threads;
  for (int made = 0; made < 4; ++made) {
    threads.emplace_back([&](Thread& thread) {
      for (long item = 1; item <= kItems; ++item) {
        thread.call([&] {
          if (thread.number(*thing) != 0) throw Retry{};
          thread.write(*thing, item);
        });
      }
    });
    threads.emplace_back([&](Thread& thread) {
      for (long item = 1; item <= kItems; ++item) {
        long found = 0;
        thread.call([&] {
          found = thread.number(*thing);
          if (found == 0) throw Retry{};
          thread.write(*thing, 0);
        });
        taken += found;
      }
    });
  }
  for (Actor& thread : threads) thread.let_go();
  for (Actor& thread : threads) thread.run_to_end();
  EXPECT_EQ(taken, 4 * kItems * (kItems + 1) / 2);
  EXPECT_EQ(thing->references, 1);
}

}  // namespace
}  // namespace stmpy::core::test
