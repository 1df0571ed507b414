// Rule 3 (protocol, section 3): a call that was aborted makes younger ones yield. `senior` is driven by an
// actor that has an age and holds `own`; the test's own threads hold what it wants.
#include <utility>

#include "runtime/core/irrevocable.h"
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class SeniorityTest : public CoreTest {
 protected:
  // A call that has an age, holds `own`, and increments `thing`.
  Actor::Part wants(std::optional<Clock::time_point> until = std::nullopt) {
    return [this, until](Thread& thread) {
      descriptor = &thread.self;
      const Options options{.deadline = until.value_or(kNoDeadline)};
      try {
        attempts = thread.call(options, [&] {
          draw_age(thread.self);
          thread.write(*own, 20);
          thread.write(*thing, thread.number(*thing, 0, mode) + 1);
        });
      } catch (const TimedOut&) {
        timed_out = true;
      }
    };
  }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(10);
  Thread holder;
  Mode mode = Mode::Write;
  int attempts = 0;
  bool timed_out = false;
  Descriptor* descriptor = nullptr;
};

TEST_F(SeniorityTest, a_senior_dooms_a_younger_holder_and_waits_in_place_until_it_has_ended) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Parking);
  EXPECT_EQ(holder.state(), State::Doomed);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::Write);
  EXPECT_TRUE(thing->record(0).is_claimed_by(*descriptor));
  holder.abort();
  senior.run_to_end();
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(holder.committed_number(*thing), 2);
}

TEST_F(SeniorityTest, a_victim_meets_its_doom_at_its_next_request_and_its_commit_fails) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Doomed);
  const auto other = make<Thing>(0);
  EXPECT_EQ(holder.ask(*other, 0, Mode::Read), Outcome::Aborted);
  EXPECT_FALSE(holder.finish());
  holder.abort();
}

TEST_F(SeniorityTest, a_victim_meets_its_doom_at_an_access_to_what_it_holds) {
  holder.quick = true;
  holder.start();
  holder.write(*thing, 5);
  EXPECT_EQ(holder.number(*thing), 5);
  Actor senior(wants());
  senior.run_to(Step::Doomed);
  EXPECT_THROW(holder.number(*thing), Aborted);
  holder.abort();
}

TEST_F(SeniorityTest, a_victim_meets_its_doom_at_an_access_to_what_nobody_else_wants) {
  const auto other = make<Thing>(3);
  holder.start();
  holder.write(*thing, 5);
  EXPECT_EQ(holder.number(*other), 3);
  Actor senior(wants());
  senior.run_to(Step::Doomed);
  EXPECT_THROW(holder.number(*other), Aborted);
  holder.abort();
}

TEST_F(SeniorityTest, a_victim_that_runs_again_meets_the_claim) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Parking);
  holder.abort();
  holder.start();
  Refusal refusal;
  EXPECT_EQ(thing->record(0).request(holder.self, Mode::Read, refusal), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
  holder.abort();
}

// Each has ended when the writer looks at it, and another one holds the pair by then: nobody is there whom it
// could doom or give way to.
TEST_F(SeniorityTest, a_reader_that_comes_to_write_is_not_kept_from_it_by_readers_that_come_and_go) {
  Thread second;
  Thread *reader = &holder, *next = &second;
  Actor writer([&](Thread& thread) {
    attempts = thread.call([&] { thread.write(*thing, thread.number(*thing) + 1); });
  });
  reader->start();
  reader->read(*thing);
  for (int refusal = 1; refusal <= 3; ++refusal) {
    writer.run_to(Step::Refused);
    next->start();
    next->read(*thing);
    reader->finish();
    std::swap(reader, next);
  }
  writer.run_to(Step::Refused);
  next->start();
  Refusal refusal;
  EXPECT_EQ(thing->record(0).request(next->self, Mode::Read, refusal), Request::Refused);
  EXPECT_TRUE(refusal.by_claim);
  reader->finish();
  writer.run_to_end();
  EXPECT_EQ(attempts, 1);
  next->abort();
}

TEST_F(SeniorityTest, a_call_without_an_age_dooms_nobody) {
  holder.start();
  holder.write(*thing, 5);
  Actor junior([&](Thread& thread) {
    attempts = thread.call([&] {
      thread.write(*own, 20);
      thread.number(*thing);
    });
  });
  junior.run_to(Step::Undone);
  EXPECT_EQ(holder.state(), State::Active);
  holder.abort();
  junior.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(SeniorityTest, an_older_holder_is_not_doomed) {
  draw_age(holder.self);
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Undone);
  EXPECT_EQ(holder.state(), State::Active);
  EXPECT_EQ(statistics()[Counter::Waits], 0U) << "it gives up at once";
  EXPECT_TRUE(holder.finish());
  senior.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(SeniorityTest, of_several_holders_none_is_doomed_unless_all_can_be) {
  Thread older;
  draw_age(older.self);
  holder.start();
  older.start();
  holder.read(*thing);
  older.read(*thing);
  Actor senior(wants());
  senior.run_to(Step::Undone);
  EXPECT_EQ(holder.state(), State::Active);
  EXPECT_EQ(older.state(), State::Active);
  holder.abort();
  older.abort();
}

TEST_F(SeniorityTest, of_several_holders_none_is_doomed_where_one_is_irrevocable) {
  Thread irrevocable;
  for (Thread* reader : {&holder, &irrevocable}) {
    reader->start();
    reader->read(*thing);
  }
  become_irrevocable(irrevocable.self);
  Actor senior(wants());
  senior.run_to(Step::Undone);
  EXPECT_EQ(holder.state(), State::Active);
  EXPECT_EQ(irrevocable.state(), State::Irrevocable);
  holder.abort();
  EXPECT_TRUE(irrevocable.finish());
}

TEST_F(SeniorityTest, who_is_not_in_the_way_of_what_is_asked_for_is_not_doomed) {
  Thread updater;
  holder.start();
  holder.read(*thing);
  updater.start();
  updater.read(*thing, 0, Mode::Update);
  mode = Mode::Update;
  Actor senior(wants());
  senior.run_to(Step::Parking);
  EXPECT_EQ(updater.state(), State::Doomed);
  EXPECT_EQ(holder.state(), State::Active) << "it reads, and so does an update";
  updater.abort();
  holder.abort();
}

TEST_F(SeniorityTest, the_next_attempt_of_who_was_in_the_way_is_none_of_its_victims) {
  for (const bool irrevocable : {false, true}) {
    holder.start();
    holder.write(*thing, 5);
    Actor senior(wants());
    senior.run_to(Step::Dooming);
    ASSERT_TRUE(holder.finish());
    holder.start();
    if (irrevocable) become_irrevocable(holder.self);
    senior.run_to_end();
    EXPECT_EQ(holder.state(), irrevocable ? State::Irrevocable : State::Active);
    EXPECT_EQ(attempts, 1) << "nor is it a reason to give up";
    holder.abort();
  }
}

TEST_F(SeniorityTest, all_of_many_readers_are_doomed) {
  std::vector<std::unique_ptr<Thread>> readers;
  for (int made = 0; made < 6; ++made) {
    readers.push_back(std::make_unique<Thread>());
    readers.back()->start();
    readers.back()->read(*thing);
  }
  Actor senior(wants());
  senior.run_to(Step::Parking);
  for (const auto& reader : readers) {
    EXPECT_EQ(reader->state(), State::Doomed);
    reader->abort();
  }
  senior.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(SeniorityTest, an_irrevocable_holder_is_not_doomed) {
  holder.start();
  holder.write(*thing, 5);
  holder.self.status.store(Status::of(holder.self.state().generation(), State::Irrevocable).bits);
  Actor senior(wants());
  senior.run_to(Step::Undone);
  EXPECT_EQ(holder.state(), State::Irrevocable);
  EXPECT_TRUE(holder.finish());
  senior.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(SeniorityTest, a_holder_that_commits_meanwhile_is_waited_for) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Refused);
  ASSERT_TRUE(holder.finish());
  holder.start();
  holder.write(*own, 0, 1);  // the next attempt of the same thread is no victim
  senior.run_to_end();
  EXPECT_EQ(holder.state(), State::Active);
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(holder.committed_number(*thing), 6);
  holder.abort();
}

TEST_F(SeniorityTest, anyone_waits_in_place_for_a_doomed_holder) {
  holder.start();
  holder.write(*thing, 5);
  doom(holder.self);
  Actor junior([&](Thread& thread) {
    descriptor = &thread.self;
    attempts = thread.call([&] {
      thread.write(*own, 20);
      thread.number(*thing);
    });
  });
  junior.run_to(Step::Parking);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::Write);
  EXPECT_EQ(descriptor->age, 0U);
  holder.abort();
  junior.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(SeniorityTest, anyone_waits_in_place_for_a_committed_holder) {
  Actor committer([&](Thread& thread) { thread.call([&] { thread.write(*thing, 5); }); });
  committer.run_to(Step::Committing);
  long seen = 0;
  Actor junior([&](Thread& thread) {
    attempts = thread.call([&] {
      thread.write(*own, 20);
      seen = thread.number(*thing);
    });
  });
  junior.run_to(Step::Parking);
  committer.run_to_end();
  junior.run_to_end();
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(seen, 5);
}

// Who is refused a second time draws an age, which counts for one request: not for the next one of the same
// attempt.
TEST_F(SeniorityTest, an_age_is_drawn_at_the_second_refusal_of_one_request) {
  const auto second = make<Thing>(2);
  const auto hold = [&](Thing& wanted) {
    holder.start();
    holder.write(wanted, 5);
    doom(holder.self);
  };
  hold(*thing);
  Actor junior([&](Thread& thread) {
    descriptor = &thread.self;
    attempts = thread.call([&] {
      thread.write(*own, 20);
      thread.number(*thing);
      thread.number(*second);
    });
  });
  junior.run_to(Step::Parking);
  holder.abort();
  hold(*second);
  junior.run_to(Step::Parking);
  EXPECT_EQ(descriptor->age, 0U);
  holder.abort();
  junior.run_to(Step::Requested);
  hold(*second);
  junior.run_to(Step::Parking);
  EXPECT_NE(descriptor->age, 0U);
  holder.abort();
  junior.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(SeniorityTest, a_signal_handler_that_asks_for_another_pair_has_a_waiting_senior_claim_anew) {
  signal_period = std::chrono::milliseconds(1);
  const auto other = make<Thing>(3);
  holder.start();
  holder.write(*thing, 5);
  Actor senior([&](Thread& thread) {
    signal_handlers = [&, handled = false]() mutable {
      if (!std::exchange(handled, true)) thread.number(*other);
      return false;
    };
    wants()(thread);
  });
  senior.run_to(Step::Parking);
  EXPECT_TRUE(thing->record(0).is_claimed_by(*descriptor));
  senior.run_to(Step::Refused);
  EXPECT_FALSE(thing->record(0).is_claimed_by(*descriptor)) << "the request for the other pair dropped it";
  senior.run_to(Step::Parking);
  EXPECT_TRUE(thing->record(0).is_claimed_by(*descriptor));
  holder.abort();
  senior.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(SeniorityTest, a_victim_that_does_not_unwind_is_given_up_after_a_while_and_the_age_is_kept) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants());
  senior.run_to(Step::Parking);
  const std::uint64_t age = descriptor->age;
  senior.run_to(Step::Undone);
  EXPECT_EQ(descriptor->age, age);
  EXPECT_EQ(thing->record(0).held_by(holder.self), Mode::Write);
  holder.abort();
  senior.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(SeniorityTest, a_senior_is_doomed_by_an_older_one_while_it_waits) {
  const auto end = make<Thing>(0);
  holder.start();
  holder.write(*end, 5);
  Descriptor* younger_descriptor = nullptr;
  int younger_attempts = 0;
  draw_age(holder.self);  // older than both: it is waited for
  Thread eldest;
  draw_age(eldest.self);
  holder.abort();
  holder.self.age = 0;
  holder.start();
  holder.write(*end, 5);
  Actor younger([&](Thread& thread) {
    younger_descriptor = &thread.self;
    younger_attempts = thread.call([&] {
      draw_age(thread.self);
      thread.write(*thing, 7);
      thread.write(*end, 7);
    });
  });
  younger.run_to(Step::Parking);
  Actor oldest([&](Thread& thread) {
    thread.call([&] {
      thread.self.age = eldest.self.age.load();
      thread.write(*own, 1);
      thread.write(*thing, 8);
    });
  });
  oldest.run_to(Step::Doomed);
  EXPECT_EQ(younger_descriptor->state().state(), State::Doomed);
  // It is about to sleep, and will not: the wake-up is there. Taken here in its place, and given back.
  const Clock::time_point before = Clock::now();
  younger_descriptor->parker.park(before + std::chrono::seconds(20));
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(10));
  younger_descriptor->parker.unpark();
  younger.run_to(Step::Undone);
  younger.let_go();
  oldest.run_to_end();
  holder.abort();
  younger.run_to_end();
  EXPECT_GE(younger_attempts, 2);
}

TEST_F(SeniorityTest, of_two_readers_that_want_to_write_the_younger_is_aborted) {
  mode = Mode::Read;
  holder.start();
  holder.read(*thing);
  Actor senior(wants());
  senior.run_to(Step::Parking);
  EXPECT_EQ(holder.ask(*thing, 0, Mode::Write), Outcome::Aborted);
  holder.abort();
  senior.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(SeniorityTest, a_deadline_ends_the_wait_for_a_victim) {
  holder.start();
  holder.write(*thing, 5);
  Actor senior(wants(Clock::now() + std::chrono::milliseconds(20)));
  senior.run_to_end();
  EXPECT_TRUE(timed_out);
  EXPECT_EQ(holder.state(), State::Doomed);
  holder.abort();
}

// One transaction over many pairs, against writers that never pause.
TEST_F(SeniorityTest, a_reader_of_everything_commits_among_writers) {
  std::vector<Ref<Thing>> things;
  for (int made = 0; made < 200; ++made) things.push_back(make<Thing>(0));
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int number = 0; number < 4; ++number) {
    writers.emplace_back([&, number] {
      Thread thread;
      for (std::size_t turn = static_cast<std::size_t>(number); !stop; turn += 7) {
        thread.call([&] {
          Thing& each = *things[turn % things.size()];
          thread.write(each, thread.number(each, 0, Mode::Write) + 1);
        });
      }
    });
  }
  Thread reader;
  for (int round = 0; round < 20; ++round) {
    reader.call([&] {
      for (const auto& each : things) {
        reader.number(*each);
        std::this_thread::yield();
      }
    });
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

}  // namespace
}  // namespace stmpy::core::test
