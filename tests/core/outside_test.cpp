// Reads outside of transactions (protocol, section 9): at once, the last committed value, never a lost
// reference.
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class OutsideTest : public CoreTest {
 protected:
  long outside(int attribute = 0) { return reader.committed_number(*thing, attribute); }
  Actor::Part reads() {
    return [this](Thread& thread) { seen = thread.committed_number(*thing); };
  }
  Actor::Part writes(long number) {
    return [this, number](Thread& thread) { thread.call([&] { thread.write(*thing, number); }); };
  }

  Ref<Thing> thing = make<Thing>(1);
  Thread writer, reader;
  long seen = 0;
};

TEST_F(OutsideTest, a_read_sees_the_value_before_a_transaction_in_progress) {
  EXPECT_EQ(outside(), 1);
  writer.start();
  EXPECT_EQ(writer.number(*thing, 0, Mode::Update), 1);
  EXPECT_EQ(outside(), 1);
  for (const long number : {2, 3, 4}) {
    writer.write(*thing, number);
    EXPECT_EQ(outside(), 1);
  }
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(outside(), 4);
}

// The log is written before the value: with no entry yet, the value is the committed one.
TEST_F(OutsideTest, an_owner_that_has_not_logged_yet_has_changed_nothing) {
  writer.start();
  reserve_entry(writer.self);
  ASSERT_EQ(access(writer.self, thing->record(0), thing.get(), Mode::Write), Outcome::Registered);
  retain(thing.get());
  EXPECT_EQ(outside(), 1);
  writer.abort();
  EXPECT_EQ(outside(), 1);
}

TEST_F(OutsideTest, a_read_sees_it_through_savepoints_reverted_and_kept) {
  writer.start();
  const auto check = [&] {
    for (const int attribute : {0, 1, 2}) EXPECT_EQ(outside(attribute), 1);
  };
  writer.write(*thing, 2);
  for (const bool fails : {true, false, true}) {
    try {
      writer.nested([&] {
        writer.write(*thing, 3);
        writer.write(*thing, 4, 1);
        check();
        if (fails) throw 1;
      });
    } catch (int) {
    }
    check();
    writer.write(*thing, 5, 1);
    writer.write(*thing, 6, 2);
    check();
  }
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(outside(1), 5);
}

TEST_F(OutsideTest, a_read_sees_an_attribute_that_a_transaction_adds_or_deletes_as_it_was) {
  writer.start();
  writer.write(*thing, Ref<Object>());
  EXPECT_EQ(outside(), 1);
  ASSERT_TRUE(writer.finish());
  writer.start();
  writer.write(*thing, 2);
  EXPECT_EQ(reader.committed(*thing).get(), nullptr);
  writer.abort();
}

TEST_F(OutsideTest, a_read_of_a_fat_record_sees_it_too) {
  writer.start();
  writer.write(*thing, 2);
  Actor waiter(writes(3));
  waiter.run_to(Step::Parking);
  ASSERT_NE(thing->record(0).bits() & Record::kFat, 0U);
  EXPECT_EQ(outside(), 1);
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(outside(), 2);
  waiter.run_to_end();
  EXPECT_EQ(outside(), 3);
}

TEST_F(OutsideTest, a_commit_is_seen_from_its_one_step_on) {
  Actor committer(writes(2));
  committer.run_to(Step::Committing);
  EXPECT_EQ(outside(), 2);
  committer.run_to(Step::Released);
  EXPECT_EQ(outside(), 2);
  committer.run_to_end();
  EXPECT_EQ(outside(), 2);
}

TEST_F(OutsideTest, an_abort_is_never_seen) {
  Actor aborter([&](Thread& thread) {
    thread.start();
    thread.write(*thing, 2);
    doom(thread.self);
    aborter.stop_here();
    thread.abort();
  });
  aborter.run_to_stop();
  EXPECT_EQ(outside(), 1);
  for (const Step step : {Step::Undone, Step::Released, Step::Ended}) {
    aborter.run_to(step);
    EXPECT_EQ(outside(), 1);
  }
}

TEST_F(OutsideTest, a_write_between_look_and_recheck_is_noticed) {
  Actor late(reads());
  late.run_to(Step::Peeked);
  writer.start();
  writer.write(*thing, 2);
  late.run_to(Step::Peeked);  // it looks again, and now at the log
  late.run_to_end();
  EXPECT_EQ(seen, 1);
  writer.abort();
}

TEST_F(OutsideTest, a_commit_between_look_and_recheck_is_noticed) {
  Actor late(reads());
  late.run_to(Step::Peeked);
  Actor(writes(2)).run_to_end();
  late.run_to_end();
  EXPECT_EQ(seen, 2)
      << "the value that it had looked at was not the committed one any more when it rechecked";
}

TEST_F(OutsideTest, an_abort_between_look_and_recheck_is_noticed) {
  // The reader looks at the slot while the owner has acquired the pair, and not logged it.
  writer.start();
  ASSERT_EQ(access(writer.self, thing->record(0), thing.get(), Mode::Write), Outcome::Registered);
  retain(thing.get());
  Actor late(reads());
  late.run_to(Step::Looked);
  reserve_entry(writer.self);
  log_slot(writer.self, thing->record(0), thing.get(), thing->slot(0), thing->slot(0).load(), true);
  thing->slot(0) = make<Object>(66).give_away();
  late.run_to(Step::Peeked);
  writer.abort();
  late.run_to_end();
  EXPECT_EQ(seen, 1);
}

TEST_F(OutsideTest, an_uncommitted_value_is_not_taken_for_one_without_a_log_entry) {
  writer.start();
  ASSERT_EQ(access(writer.self, thing->record(0), thing.get(), Mode::Write), Outcome::Registered);
  retain(thing.get());
  Actor late(reads());
  late.run_to(Step::Looked);
  reserve_entry(writer.self);
  log_slot(writer.self, thing->record(0), thing.get(), thing->slot(0), thing->slot(0).load(), true);
  thing->slot(0) = make<Object>(66).give_away();
  late.run_to_end();
  EXPECT_EQ(seen, 1);
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(outside(), 66);
}

// An object's structure is one pair of several slots.
TEST_F(OutsideTest, each_slot_of_a_pair_has_a_pre_image_of_its_own) {
  writer.start();
  writer.write(*thing, 3);
  reserve_entry(writer.self);
  log_slot(writer.self, thing->record(0), thing.get(), thing->slot(1), thing->slot(1).load(), false);
  const auto before = Ref<Object>::borrowed(static_cast<Object*>(thing->slot(1).load()));
  thing->slot(1) = make<Object>(66).give_away();
  {
    const Observer observer(reader.self);
    EXPECT_EQ(committed_value(observer, thing->record(0), thing->slot(1)), before.get());
    EXPECT_NE(committed_value(observer, thing->record(0), thing->slot(0)), before.get());
  }
  writer.abort();
}

TEST_F(OutsideTest, a_pre_image_whose_owner_commits_meanwhile_is_looked_for_again) {
  writer.start();
  writer.write(*thing, 3);
  Actor late(reads());
  late.run_to(Step::Peeked);
  ASSERT_TRUE(writer.finish());
  late.run_to_end();
  EXPECT_EQ(seen, 3);
}

TEST_F(OutsideTest, a_pre_image_is_not_taken_from_the_next_attempt_of_the_same_thread) {
  writer.start();
  writer.write(*thing, 2);
  Actor late(reads());
  late.run_to(Step::Peeked);
  ASSERT_TRUE(writer.finish());
  writer.start();
  writer.write(*thing, 3);
  late.run_to_end();
  EXPECT_EQ(seen, 2);
  writer.abort();
}

TEST_F(OutsideTest, the_value_of_a_committed_owner_is_checked_after_it_was_read) {
  Actor committer(writes(2));
  committer.run_to(Step::Committing);
  Actor late(reads());
  late.run_to(Step::Peeked);
  committer.run_to_end();
  writer.start();
  writer.write(*thing, 3);
  late.run_to_end();
  EXPECT_EQ(seen, 2);
  writer.abort();
}

TEST_F(OutsideTest, the_place_of_a_committed_owner_may_belong_to_another_one_when_it_is_read) {
  Actor committer(writes(2));
  committer.run_to(Step::Committing);
  Actor late(reads());
  late.run_to(Step::Looked);
  committer.run_to_end();
  writer.start();
  writer.write(*thing, 3);
  late.run_to_end();
  EXPECT_EQ(seen, 2);
  writer.abort();
}

TEST_F(OutsideTest, a_commit_point_passed_between_look_and_recheck_is_noticed) {
  Actor committer([&](Thread& thread) {
    thread.call([&] {
      thread.write(*thing, 2);
      committer.stop_here();
    });
  });
  committer.run_to_stop();
  Actor late(reads());
  late.run_to(Step::Peeked);
  committer.run_to(Step::Committing);
  late.run_to_end();
  EXPECT_EQ(seen, 2);
}

TEST_F(OutsideTest, a_value_lives_as_long_as_somebody_who_looked_at_it_has_not_decided) {
  bool gone = false;
  auto value = make<Object>(5);
  value->finaliser = [&] { gone = true; };
  writer.call([&] { writer.write(*thing, std::move(value)); });
  Actor late(reads());
  late.run_to(Step::Peeked);
  writer.call([&] { writer.write(*thing, 6); });
  EXPECT_FALSE(gone);
  late.run_to_end();
  EXPECT_TRUE(gone) << "who kept it alive lets go of it";
  EXPECT_EQ(seen, 6);
}

TEST_F(OutsideTest, a_pre_image_lives_as_long_as_its_reader_has_not_decided) {
  bool gone = false;
  auto value = make<Object>(5);
  value->finaliser = [&] { gone = true; };
  writer.call([&] { writer.write(*thing, std::move(value)); });
  writer.start();
  writer.write(*thing, 6);
  Actor late(reads());
  late.run_to(Step::Peeked);
  ASSERT_TRUE(writer.finish());
  EXPECT_FALSE(gone);
  late.run_to_end();
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace stmpy::core::test
