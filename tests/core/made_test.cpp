// Objects that an attempt makes are its own until it has ended (protocol, section 7).
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class MadeTest : public CoreTest {
 protected:
  int entries() {
    int count = 0;
    thread.self.log.forwards(thread.self.first_entry.get(), [&](LogEntry&) { ++count; });
    return count;
  }
  bool is_free(Record& record) { return (record.bits() & (Record::kFat | Record::kHolders)) == 0; }
  void expect_free(Thing& thing) {
    for (int attribute = 0; attribute < 4; ++attribute) EXPECT_TRUE(is_free(thing.record(attribute)));
  }

  Ref<Thing> other = make<Thing>(1);
  Thread thread, foreigner;
};

TEST_F(MadeTest, what_its_maker_does_with_it_is_neither_registered_nor_logged) {
  thread.start();
  const auto thing = thread.make_private();
  for (int attribute = 0; attribute < 4; ++attribute) {
    EXPECT_TRUE(holds(thread.self, thing->record(attribute)));
    EXPECT_TRUE(holds_logged(thread.self, thing->record(attribute)));
    thread.write(*thing, 5 + attribute, attribute);
    EXPECT_EQ(thread.number(*thing, attribute), 5 + attribute);
    for (const Mode mode : {Mode::Read, Mode::Update, Mode::Add, Mode::Write, Mode::Exclusive})
      EXPECT_EQ(thread.ask(*thing, attribute, mode), Outcome::Held);
  }
  EXPECT_TRUE(thread.self.accesses.empty_since(thread.self.first_access.get()));
  EXPECT_EQ(entries(), 0);
  ASSERT_TRUE(thread.finish());
  expect_free(*thing);
  EXPECT_EQ(thing->references, 1);
  EXPECT_EQ(foreigner.committed_number(*thing, 2), 7);
}

TEST_F(MadeTest, an_abort_lets_go_of_it_and_leaves_its_values) {
  thread.start();
  const auto thing = thread.make_private();
  thread.write(*thing, 5);
  thread.abort();
  expect_free(*thing);
  EXPECT_EQ(thing->references, 1);
  EXPECT_EQ(foreigner.committed_number(*thing), 5);
  foreigner.call([&] { foreigner.write(*thing, 6); });
  EXPECT_EQ(foreigner.committed_number(*thing), 6);
}

TEST_F(MadeTest, it_lives_until_the_attempt_has_ended) {
  bool gone = false;
  thread.start();
  thread.make_private()->finaliser = [&] { gone = true; };
  EXPECT_FALSE(gone);
  ASSERT_TRUE(thread.finish());
  EXPECT_TRUE(gone);
}

TEST_F(MadeTest, outside_it_has_no_values_before_the_commit) {
  thread.start();
  const auto thing = thread.make_private();
  const auto check = [&] {
    for (int attribute = 0; attribute < 4; ++attribute)
      EXPECT_EQ(foreigner.committed(*thing, attribute).get(), nullptr);
  };
  check();
  thread.write(*thing, 5);
  check();
  thread.nested([&] {
    thread.write(*thing, 6);
    thread.write(*thing, 6, 1);
    check();
  });
  check();
  Actor waiter([&](Thread& of) { of.call([&] { of.write(*thing, 7); }); });
  waiter.run_to(Step::Parking);
  ASSERT_NE(thing->record(0).bits() & Record::kFat, 0U) << "a claim";
  check();
  EXPECT_EQ(thread.number(*thing), 6);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(foreigner.committed_number(*thing), 6);
  waiter.run_to_end();
  EXPECT_EQ(foreigner.committed_number(*thing), 7);
}

TEST_F(MadeTest, whoever_meets_it_waits_for_its_maker) {
  for (const Mode mode : {Mode::Read, Mode::Update, Mode::Add, Mode::Write, Mode::Exclusive}) {
    thread.start();
    const auto thing = thread.make_private();
    foreigner.self.age = 0;  // of a call of its own
    foreigner.start();
    foreigner.write(*other, 2);
    EXPECT_EQ(foreigner.ask(*thing, 3, mode), Outcome::Aborted);
    foreigner.abort();
    ASSERT_TRUE(thread.finish());
  }
}

TEST_F(MadeTest, a_savepoint_takes_back_what_was_written_in_it) {
  thread.start();
  const auto before = thread.make_private();
  thread.write(*before, 5);
  Ref<Thing> inside;
  try {
    thread.nested([&] {
      inside = thread.make_private();
      thread.write(*inside, 6);
      thread.write(*before, 6);
      thread.write(*before, 6, 1);
      throw 1;
    });
  } catch (int) {
  }
  EXPECT_EQ(thread.number(*before), 5);
  EXPECT_EQ(thread.read(*before, 1).get(), nullptr);
  EXPECT_EQ(thread.read(*inside).get(), nullptr);
  thread.write(*inside, 7);
  EXPECT_EQ(entries(), 0);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(foreigner.committed_number(*before), 5);
  EXPECT_EQ(foreigner.committed_number(*inside), 7);
}

// Whoever has something that others may wait for must not wait in place for them.
TEST_F(MadeTest, its_maker_holds_something) {
  thread.start();
  EXPECT_TRUE(holds_nothing(thread.self));
  const auto thing = thread.make_private();
  EXPECT_FALSE(holds_nothing(thread.self));
  foreigner.start();
  foreigner.write(*other, 2);
  EXPECT_EQ(thread.ask(*other, 0, Mode::Read), Outcome::Aborted);
  thread.abort();
  foreigner.abort();
}

TEST_F(MadeTest, one_made_while_another_attempt_is_let_go_of_belongs_to_its_own) {
  Ref<Thing> second;
  thread.start();
  thread.make_private()->finaliser = [&] {
    Thread& same = thread;
    same.call([&] {
      second = same.make_private();
      same.write(*second, 9);
    });
    expect_free(*second);
  };
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(second->references, 1);
  EXPECT_EQ(foreigner.committed_number(*second), 9);
}

TEST_F(MadeTest, many) {
  std::vector<Ref<Thing>> all;
  thread.start();
  for (int index = 0; index < 1000; ++index) {
    all.push_back(thread.make_private());
    thread.write(*all.back(), index);
  }
  ASSERT_TRUE(thread.finish());
  for (int index = 0; index < 1000; ++index) {
    expect_free(*all[static_cast<std::size_t>(index)]);
    EXPECT_EQ(foreigner.committed_number(*all[static_cast<std::size_t>(index)]), index);
  }
}

}  // namespace
}  // namespace stmpy::core::test
