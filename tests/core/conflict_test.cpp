// What a refused request does (protocol, section 3), step by step. `holder` is driven by the test's own
// thread.
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class ConflictTest : public CoreTest {
 protected:
  Record& record() { return thing->record(0); }
  bool claimed_by(Descriptor* setter) { return record().is_claimed_by(*setter); }
  static std::uint64_t waits() { return statistics()[Counter::Waits]; }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(10);
  Thread holder;
  int attempts = 0;
  Descriptor* descriptor = nullptr;  // of the actor

  // A call that reads or writes `thing` at once.
  Actor::Part reads(bool exclusive = false) {
    return [this, exclusive](Thread& thread) {
      descriptor = &thread.self;
      attempts = thread.call({.exclusive = exclusive}, [&] { thread.number(*thing); });
    };
  }
  Actor::Part increments(Descriptor** where, bool old = false) {
    return [this, where, old](Thread& thread) {
      *where = &thread.self;
      thread.call([&] {
        if (old) draw_age(thread.self);
        thread.write(*thing, thread.number(*thing, 0, Mode::Write) + 1);
      });
    };
  }
  Actor::Part increments() { return increments(&descriptor); }
};

TEST_F(ConflictTest, a_requester_with_nothing_waits_in_place_and_does_not_run_again) {
  holder.start();
  holder.write(*thing, 2);
  long seen = 0;
  Actor actor([&](Thread& thread) { attempts = thread.call([&] { seen = thread.number(*thing); }); });
  actor.run_to(Step::Parking);
  ASSERT_TRUE(holder.finish());
  actor.run_to_end();
  EXPECT_EQ(seen, 2);
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(waits(), 1U);
}

TEST_F(ConflictTest, readers_of_different_transactions_coexist) {
  holder.start();
  holder.read(*thing);
  Actor(reads()).run_to_end();
  EXPECT_EQ(waits(), 0U);
  holder.abort();
}

TEST_F(ConflictTest, a_writer_claims_the_pair_before_it_waits_for_readers_to_drain) {
  holder.start();
  holder.read(*thing);
  Actor writer(increments());
  writer.run_to(Step::Parking);
  EXPECT_TRUE(claimed_by(descriptor));
  Thread newcomer;
  newcomer.start();
  Refusal refusal;
  EXPECT_EQ(record().request(newcomer.self, Mode::Read, refusal), Request::Refused);
  EXPECT_EQ(refusal.by.descriptor, descriptor);
  newcomer.abort();
  holder.abort();
  writer.run_to_end();
  EXPECT_FALSE(claimed_by(descriptor));
  EXPECT_EQ(record().bits() & Record::kFat, 0U) << "nothing is left of the claim";
}

TEST_F(ConflictTest, a_reader_claims_only_when_it_has_an_age) {
  holder.start();
  holder.write(*thing, 2);
  Actor reader(reads());
  reader.run_to(Step::Parking);
  EXPECT_FALSE(claimed_by(descriptor));
  EXPECT_EQ(descriptor->age, 0U);
  holder.abort();
  reader.run_to(Step::Requested);
  holder.start();
  holder.write(*thing, 3);
  reader.run_to(Step::Parking);
  EXPECT_NE(descriptor->age, 0U) << "it was refused a second time";
  EXPECT_TRUE(claimed_by(descriptor));
  holder.abort();
  reader.run_to_end();
  EXPECT_EQ(attempts, 1);
}

TEST_F(ConflictTest, a_request_refused_a_second_time_looks_again_before_it_waits) {
  holder.start();
  holder.write(*thing, 2);
  Actor reader(reads());
  reader.run_to(Step::Parking);
  holder.abort();
  reader.run_to(Step::Requested);
  holder.start();
  holder.write(*thing, 3);
  reader.run_to(Step::Refused);
  reader.run_to(Step::Requested);
  EXPECT_NE(descriptor->age, 0U);
  holder.abort();
  reader.run_to_end();
  EXPECT_EQ(waits(), 1U);
}

TEST_F(ConflictTest, who_cannot_set_a_claim_waits_for_its_setter) {
  holder.start();
  holder.read(*thing);
  Descriptor *first = nullptr, *second = nullptr;
  Actor setter(increments(&first)), late(increments(&second));
  setter.run_to(Step::Parking);
  late.run_to(Step::Parking);
  EXPECT_TRUE(claimed_by(first));
  EXPECT_NE(first->waiting_for_it, 0U);
  EXPECT_EQ(second->claimed, nullptr);
  holder.abort();
  setter.run_to_end();
  late.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 3);
}

TEST_F(ConflictTest, a_displaced_claimer_starts_over_and_waits_for_who_displaced_it) {
  holder.start();
  holder.read(*thing);
  Descriptor *first = nullptr, *second = nullptr;
  Actor displaced(increments(&first)), older(increments(&second, true));
  displaced.run_to(Step::Parking);
  older.run_to(Step::Parking);
  EXPECT_TRUE(claimed_by(second));
  displaced.run_to(Step::Requested);
  displaced.run_to(Step::Parking);  // it does not spin through requests until then
  EXPECT_NE(second->waiting_for_it, 0U);
  EXPECT_TRUE(claimed_by(second));
  holder.abort();
  older.run_to_end();
  displaced.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 3);
}

TEST_F(ConflictTest, a_displaced_claimer_claims_anew_when_who_displaced_it_has_been_granted) {
  holder.start();
  holder.read(*thing);
  Descriptor *first = nullptr, *second = nullptr;
  Actor displaced(increments(&first));
  Actor older([&](Thread& thread) {
    second = &thread.self;
    thread.call([&] {
      draw_age(thread.self);
      thread.write(*thing, 7);
      older.stop_here();
    });
  });
  displaced.run_to(Step::Parking);
  older.run_to(Step::Parking);
  holder.abort();
  older.run_to_stop();
  displaced.run_to(Step::Requested);
  displaced.run_to(Step::Parking);
  EXPECT_TRUE(claimed_by(first));
  older.run_to_end();
  displaced.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 8);
}

TEST_F(ConflictTest, a_wait_is_for_one_attempt_and_not_for_the_next_one_of_the_same_thread) {
  holder.start();
  holder.write(*thing, 2);
  Actor reader(reads());
  reader.run_to(Step::Refused);
  holder.abort();
  holder.start();
  reader.run_to(Step::Requested);  // without sleeping, though that thread runs a transaction again
  reader.run_to_end();
  holder.abort();
}

TEST_F(ConflictTest, a_requester_that_holds_something_aborts_and_waits_holding_nothing) {
  holder.start();
  holder.write(*thing, 2);
  Actor actor([&](Thread& thread) {
    descriptor = &thread.self;
    attempts = thread.call([&] {
      thread.write(*own, 20);
      thread.number(*thing);
    });
  });
  actor.run_to(Step::Undone);
  EXPECT_EQ(descriptor->state().state(), State::Doomed);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::Write)
      << "it owns what it owned until the log is replayed";
  EXPECT_NE(descriptor->age, 0U) << "drawn at the first abort by a conflict";
  const std::uint64_t age = descriptor->age;
  actor.run_to(Step::Parking);
  EXPECT_EQ(descriptor->state().state(), State::Idle);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::None);
  EXPECT_EQ(holder.committed_number(*own), 10);
  EXPECT_EQ(descriptor->claimed, nullptr);
  ASSERT_TRUE(holder.finish());
  actor.run_to(Step::Committing);
  EXPECT_EQ(descriptor->age, age) << "and kept for the re-runs";
  actor.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(ConflictTest, who_holds_something_does_not_abort_where_the_other_ends_while_it_spins) {
  holder.start();
  holder.write(*thing, 2);
  Actor actor([&](Thread& thread) {
    attempts = thread.call([&] {
      thread.write(*own, 20);
      thread.number(*thing);
    });
  });
  actor.run_to(Step::Refused);
  ASSERT_TRUE(holder.finish());
  actor.run_to_end();
  EXPECT_EQ(attempts, 1);
}

// A write outside takes the record for a moment and has none: there is nobody to wait for, nor to abort for.
TEST_F(ConflictTest, who_meets_a_holder_without_an_attempt_asks_again) {
  Refusal refusal;
  for (const bool exclusive : {false, true}) {
    for (const bool holds_something : {false, true}) {
      ASSERT_EQ(record().request(holder.self, Mode::Write, refusal), Request::Granted);
      Actor actor([&](Thread& thread) {
        attempts = thread.call({.exclusive = exclusive}, [&] {
          if (holds_something) thread.write(*own, 20);
          thread.number(*thing);
        });
      });
      for (int looks = 0; looks < 3; ++looks) actor.run_to(Step::Refused);
      record().release(holder.self);
      actor.run_to_end();
      EXPECT_EQ(attempts, 1);
    }
  }
  EXPECT_EQ(waits(), 0U);
}

TEST_F(ConflictTest, two_that_take_two_pairs_in_opposite_orders_both_come_to_their_end) {
  const auto second = make<Thing>(1);
  const auto in_order = [](Thing& a, Thing& b, Actor** stage) {
    return [&a, &b, stage](Thread& thread) {
      bool stopped = false;
      thread.call([&] {
        thread.write(a, thread.number(a, 0, Mode::Write) + 1);
        if (!std::exchange(stopped, true)) (*stage)->stop_here();
        thread.write(b, thread.number(b, 0, Mode::Write) + 1);
      });
    };
  };
  Actor *left_stage = nullptr, *right_stage = nullptr;
  Actor left(in_order(*thing, *second, &left_stage)), right(in_order(*second, *thing, &right_stage));
  left_stage = &left;
  right_stage = &right;
  left.run_to_stop();
  right.run_to_stop();
  left.run_to(Step::Refused);
  right.run_to(Step::Refused);
  left.let_go();
  right.run_to_end();
  left.run_to_end();
  EXPECT_EQ(holder.committed_number(*thing), 3);
  EXPECT_EQ(holder.committed_number(*second), 3);
}

TEST_F(ConflictTest, under_exclusive_reads_any_access_conflicts_and_aborts_at_once) {
  holder.start();
  holder.read(*thing);
  Actor actor(reads(true));
  actor.run_to(Step::Undone);  // with nothing held, and without waiting
  EXPECT_EQ(waits(), 0U);
  actor.run_to(Step::Parking);
  EXPECT_EQ(descriptor->state().state(), State::Idle);
  holder.abort();
  actor.run_to_end();
  EXPECT_EQ(attempts, 2);
}

TEST_F(ConflictTest, exclusive_reads_exclude_the_readers_of_others) {
  holder.start({.exclusive = true});
  holder.read(*thing);
  Actor reader(reads());
  reader.run_to(Step::Parking);
  ASSERT_TRUE(holder.finish());
  reader.run_to_end();
}

TEST_F(ConflictTest, a_pair_on_which_an_upgrade_failed_is_taken_for_writing_by_the_re_run) {
  holder.start();
  holder.read(*thing);
  std::vector<Mode> at_first_touch;
  const auto part = [&](Thread& thread) {
    for (int calls = 0; calls < 2; ++calls) {
      attempts = thread.call([&] {
        const long number = thread.number(*thing);
        at_first_touch.push_back(record().held_by(thread.self));
        thread.write(*thing, number + 1);
      });
    }
  };
  Actor actor(part);
  actor.run_to(Step::Parking);
  holder.abort();
  actor.run_to_end();
  EXPECT_EQ(at_first_touch, (std::vector{Mode::Read, Mode::Write, Mode::Read}))
      << "the next call knows nothing of it";
  EXPECT_EQ(holder.committed_number(*thing), 3);
}

// All hold the pair when they come to write it: each but the last gives up, and is not aborted again.
TEST_F(ConflictTest, of_many_that_read_and_then_write_none_is_aborted_twice) {
  for (const std::size_t count : {2U, 3U, 6U}) {
    std::vector<std::unique_ptr<Actor>> actors;
    std::vector<int> attempts_of(count);
    for (int& its_attempts : attempts_of) {
      actors.push_back(std::make_unique<Actor>([&](Thread& thread) {
        its_attempts = thread.call([&] {
          const long number = thread.number(*thing);
          EXPECT_EQ(record().held_by(thread.self), its_attempts == 0 ? Mode::Read : Mode::Write);
          its_attempts = 1;
          thread.write(*thing, number + 1);
        });
      }));
    }
    const long before = holder.committed_number(*thing);
    // The first one reads; it is refused when it writes only if another one has read by then.
    holder.start();
    holder.read(*thing);
    for (const auto& actor : actors) actor->run_to(Step::Refused);
    holder.abort();
    for (const Step step : {Step::Undone, Step::Ended})
      for (std::size_t number = 0; number + 1 < count; ++number) actors[number]->run_to(step);
    actors.back()->run_to_end();
    for (std::size_t number = 0; number + 1 < count; ++number) actors[number]->let_go();
    for (std::size_t number = 0; number + 1 < count; ++number) actors[number]->run_to_end();
    EXPECT_EQ(holder.committed_number(*thing), before + static_cast<long>(count));
    for (std::size_t number = 0; number < count; ++number)
      EXPECT_EQ(attempts_of[number], number + 1 < count ? 2 : 1) << number << " of " << count;
  }
}

TEST_F(ConflictTest, a_signal_handler_that_accesses_in_the_waiting_attempt_ends_its_wait_with_nothing) {
  signal_period = std::chrono::milliseconds(1);
  holder.start();
  holder.write(*thing, 2);
  Actor actor([&](Thread& thread) {
    descriptor = &thread.self;
    signal_handlers = [&, handled = false]() mutable {
      if (!std::exchange(handled, true)) thread.read(*own);
      return false;
    };
    attempts = thread.call([&] { thread.read(*thing); });
  });
  actor.run_to(Step::Undone);
  actor.run_to(Step::Parking);
  EXPECT_EQ(own->record(0).held_by(*descriptor), Mode::None);
  holder.abort();
  actor.run_to_end();
  EXPECT_EQ(attempts, 2);
}

}  // namespace
}  // namespace stmpy::core::test
