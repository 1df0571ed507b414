// Savepoints (protocol, section 8): they revert values, never registrations.
#include <stdexcept>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

struct Failed {};

class SavepointTest : public CoreTest {
 protected:
  template <class Body>
  void fail_nested(Body body) {
    try {
      thread.nested([&] {
        body();
        throw Failed{};
      });
      FAIL() << "the exception passes through";
    } catch (const Failed&) {
    }
  }
  void leave(bool commits) { commits ? static_cast<void>(thread.finish()) : thread.abort(); }

  Ref<Thing> thing = make<Thing>(1);
  Thread thread;
};

TEST_F(SavepointTest, an_exception_reverts_just_its_part) {
  thread.start();
  thread.write(*thing, 10, 0);
  thread.write(*thing, 10, 1);
  fail_nested([&] {
    thread.write(*thing, 20, 0);
    thread.write(*thing, 21, 0);
    thread.write(*thing, 20, 2);
  });
  EXPECT_EQ(thread.number(*thing, 0), 10);
  EXPECT_EQ(thread.number(*thing, 1), 10);
  EXPECT_EQ(thread.number(*thing, 2), 1);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(thread.committed_number(*thing, 0), 10);
  EXPECT_EQ(thread.committed_number(*thing, 2), 1);
}

TEST_F(SavepointTest, what_a_nested_one_left_is_reverted_with_the_outer_one) {
  thread.start();
  thread.nested([&] { thread.write(*thing, 5); });
  EXPECT_EQ(thread.number(*thing), 5);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
}

TEST_F(SavepointTest, pairs_stay_registered_in_their_mode) {
  thread.start();
  fail_nested([&] {
    thread.read(*thing, 0);
    thread.write(*thing, 2, 1);
  });
  EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Read);
  EXPECT_EQ(thing->record(1).held_by(thread.self), Mode::Write);
  EXPECT_EQ(thread.ask(*thing, 1, Mode::Write), Outcome::Held);
  thread.abort();
}

// The trap: the write behind the revert finds the pair held for writing, so the inline check logs nothing.
TEST_F(SavepointTest, a_pair_first_written_in_a_reverted_one_is_still_reverted_with_the_whole) {
  for (const bool commits : {false, true}) {
    thread.start();
    fail_nested([&] { thread.write(*thing, 5); });
    EXPECT_TRUE(holds_logged(thread.self, thing->record(0)));
    thread.write(*thing, 6);
    leave(commits);
    EXPECT_EQ(thread.committed_number(*thing), commits ? 6 : 1);
  }
}

TEST_F(SavepointTest, an_attribute_that_came_in_a_reverted_one_does_not_exist) {
  thread.call([&] { thread.write(*thing, Ref<Object>()); });
  for (const bool commits : {false, true}) {
    thread.start();
    fail_nested([&] { thread.write(*thing, 5); });
    EXPECT_EQ(thread.read(*thing).get(), nullptr);
    leave(commits);
    EXPECT_EQ(thread.committed(*thing).get(), nullptr);
  }
}

TEST_F(SavepointTest, a_pair_first_written_in_a_reverted_one_is_reverted_by_the_one_around_it) {
  thread.start();
  fail_nested([&] {
    fail_nested([&] { thread.write(*thing, 5); });
    thread.write(*thing, 6);
    EXPECT_EQ(thread.number(*thing), 6);
  });
  EXPECT_EQ(thread.number(*thing), 1);
  thread.write(*thing, 7);
  fail_nested([&] { thread.write(*thing, 8); });
  EXPECT_EQ(thread.number(*thing), 7);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
}

TEST_F(SavepointTest, whether_a_pair_was_logged_is_asked_anew_in_each) {
  thread.start();
  thread.write(*thing, 10);
  fail_nested([&] {
    EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
    thread.write(*thing, 20);
    thread.nested([&] {
      thread.write(*thing, 30);
      fail_nested([&] { thread.write(*thing, 40); });
      EXPECT_EQ(thread.number(*thing), 30);
    });
    thread.write(*thing, 50);
    fail_nested([&] { thread.write(*thing, 60); });
    EXPECT_EQ(thread.number(*thing), 50);
  });
  EXPECT_EQ(thread.number(*thing), 10);
  EXPECT_TRUE(holds_logged(thread.self, thing->record(0)));
  thread.abort();
}

TEST_F(SavepointTest, one_inside_of_another_changes_nothing_about_what_the_outer_one_logs) {
  thread.start();
  thread.write(*thing, 10);
  fail_nested([&] {
    thread.nested([] {});
    thread.write(*thing, 20);
  });
  EXPECT_EQ(thread.number(*thing), 10);
  fail_nested([&] {
    thread.nested([&] { thread.write(*thing, 20); });
    thread.write(*thing, 30);
  });
  EXPECT_EQ(thread.number(*thing), 10);
  fail_nested([&] {
    fail_nested([&] { thread.write(*thing, 20); });
    thread.write(*thing, 30);
  });
  EXPECT_EQ(thread.number(*thing), 10);
  thread.abort();
}

TEST_F(SavepointTest, a_pair_is_logged_once_in_one_however_often_it_is_written) {
  thread.start();
  for (int attribute = 0; attribute < 4; ++attribute) thread.write(*thing, 0, attribute);
  thread.nested([&] {
    const auto start = thread.self.log.position();
    for (int round = 0; round < 100; ++round) {
      for (int attribute = 0; attribute < 4; ++attribute) thread.write(*thing, round, attribute);
    }
    int entries = 0;
    thread.self.log.forwards(start, [&](LogEntry&) { ++entries; });
    EXPECT_EQ(entries, 4);
  });
  thread.abort();
}

// More pairs than the direct-mapped table has places.
TEST_F(SavepointTest, each_of_many_pairs_is_logged_once_in_one_however_often_they_are_written) {
  std::vector<Ref<Thing>> things;
  for (int index = 0; index < 100; ++index) things.push_back(make<Thing>(1));
  const auto write_all = [&](long number) {
    for (const Ref<Thing>& each : things) {
      for (int attribute = 0; attribute < 4; ++attribute) thread.write(*each, number, attribute);
    }
  };
  const auto entries_since = [&](auto start) {
    int entries = 0;
    thread.self.log.forwards(start, [&](LogEntry&) { ++entries; });
    return entries;
  };
  thread.start();
  write_all(0);
  for (const long outer : {10, 20}) {
    thread.nested([&] {
      const auto start = thread.self.log.position();
      for (int round = 0; round < 10; ++round) write_all(outer + round);
      EXPECT_EQ(entries_since(start), 400);
    });
    fail_nested([&] {
      for (int round = 0; round < 10; ++round) write_all(outer + 100 + round);
    });
    for (const Ref<Thing>& each : things) EXPECT_EQ(thread.number(*each, 3), outer + 9);
  }
  thread.abort();
  for (const Ref<Thing>& each : things) EXPECT_EQ(thread.committed_number(*each), 1);
}

TEST_F(SavepointTest, many_in_a_row_leave_no_trace_in_the_log) {
  thread.start();
  thread.write(*thing, 2);
  const auto position = thread.self.log.position();
  for (int round = 0; round < 1000; ++round) {
    fail_nested([&] { thread.write(*thing, round); });
  }
  EXPECT_EQ(thread.self.log.position(), position);
  EXPECT_EQ(thread.number(*thing), 2);
  thread.abort();
}

TEST_F(SavepointTest, kept_entries_between_reverted_ones_hold_their_references) {
  for (const bool commits : {false, true}) {
    thread.start();
    thread.write(*thing, 10, 0);
    for (int round = 0; round < 3; ++round) {
      fail_nested([&] {
        thread.write(*thing, 20, 0);
        thread.write(*thing, 20, 1);
        thread.write(*thing, 30, 0);
        thread.write(*thing, 20, 2);
        thread.write(*thing, Ref<Object>(), 3);
      });
    }
    EXPECT_EQ(thread.number(*thing, 0), 10);
    for (const int attribute : {1, 2, 3}) EXPECT_EQ(thread.number(*thing, attribute), 1);
    leave(commits);
    thread.call([&] {
      for (int attribute = 0; attribute < 4; ++attribute) thread.write(*thing, 1, attribute);
    });
  }
}

TEST_F(SavepointTest, reverted_entries_inside_of_a_reverted_one_give_their_references_back_once) {
  const auto value = make<Object>(20);
  thread.start();
  thread.write(*thing, 10, 0);
  fail_nested([&] {
    fail_nested([&] {
      thread.write(*thing, value, 0);
      thread.write(*thing, 20, 1);
    });
    thread.write(*thing, 30, 0);
  });
  EXPECT_EQ(value->references, 1);
  EXPECT_EQ(thread.number(*thing, 0), 10);
  EXPECT_EQ(thread.number(*thing, 1), 1);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing, 0), 1);
}

TEST_F(SavepointTest,
       values_of_a_reverted_one_die_at_its_end_and_their_finalisers_belong_to_the_transaction) {
  bool gone = false;
  thread.start();
  fail_nested([&] {
    auto value = make<Object>(5);
    value->finaliser = [&] {
      gone = true;
      EXPECT_EQ(thread.number(*thing), 1) << "the replay is over";
      thread.write(*thing, 9, 3);
      fail_nested([&] { thread.write(*thing, 10, 2); });
    };
    thread.write(*thing, std::move(value));
    EXPECT_FALSE(gone);
  });
  EXPECT_TRUE(gone);
  EXPECT_EQ(thread.number(*thing, 3), 9);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing, 3), 1);
}

TEST_F(SavepointTest, under_exclusive_reads_in_one_what_is_held_from_before_is_looked_at_again) {
  thread.start();
  thread.read(*thing);
  set_exclusive(thread.self, true);
  static_cast<void>(open_savepoint(thread.self));
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  thread.read(*thing);
  EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Exclusive);
  set_exclusive(thread.self, false);
  close_savepoint(thread.self);
  EXPECT_TRUE(holds(thread.self, thing->record(0)));
  thread.abort();
}

TEST_F(SavepointTest, a_conflict_goes_through_it_to_the_outermost) {
  thread.start();
  thread.write(*thing, 2);
  EXPECT_THROW(thread.nested([&] {
    thread.write(*thing, 3);
    doom(thread.self);
    thread.read(*thing, 1);
  }),
               Aborted);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
  EXPECT_EQ(thread.self.depth, 0U);
}

// A retry is on its way to the alternative that it is in: only there is it over.
TEST_F(SavepointTest, the_inline_checks_are_hidden_from_a_retry_on_its_way_and_shown_behind_it) {
  thread.quick = true;
  Outcome outcome;
  thread.start();
  thread.write(*thing, 2);
  const Savepoint alternative = open_savepoint(thread.self);
  hide_from_inline_checks(thread.self);
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(read_quickly(thread.self, thing->record(1), thing.get(), outcome));
  show_to_inline_checks(thread.self);
  EXPECT_TRUE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0))) << "the savepoint is open still";
  EXPECT_TRUE(thread.self.usual);
  revert_savepoint(thread.self, alternative);
  EXPECT_TRUE(holds_logged(thread.self, thing->record(0)));
  hide_from_inline_checks(thread.self);
  doom(thread.self);
  show_to_inline_checks(thread.self);
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  thread.abort();
}

TEST_F(SavepointTest, the_inline_checks_stay_hidden_when_one_is_left_by_a_doomed_attempt) {
  thread.start();
  thread.write(*thing, 2);
  const Savepoint savepoint = open_savepoint(thread.self);
  doom(thread.self);
  revert_savepoint(thread.self, savepoint);
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
  thread.abort();
}

}  // namespace
}  // namespace stmpy::core::test
