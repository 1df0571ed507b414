// The life of one transaction, on one thread.
#include <stdexcept>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class TransactionTest : public CoreTest {
 protected:
  Ref<Thing> thing = make<Thing>(1), second = make<Thing>(2);
  Thread thread;
};

TEST_F(TransactionTest, what_it_wrote_is_there_after_the_commit) {
  thread.start();
  thread.write(*thing, 10);
  thread.write(*thing, 11);
  thread.write(*second, 20, 1);
  EXPECT_EQ(thread.number(*thing), 11);
  EXPECT_TRUE(thread.finish());
  EXPECT_EQ(thread.committed_number(*thing), 11);
  EXPECT_EQ(thread.committed_number(*second, 1), 20);
}

TEST_F(TransactionTest, nothing_of_it_is_there_after_an_abort) {
  thread.start();
  thread.write(*thing, 10);
  thread.write(*second, 20, 1);
  thread.write(*thing, 11);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
  EXPECT_EQ(thread.committed_number(*second, 1), 2);
}

TEST_F(TransactionTest, an_attribute_that_did_not_exist_does_not_exist_again) {
  thread.call([&] { thread.write(*thing, Ref<Object>()); });
  EXPECT_EQ(thread.committed(*thing).get(), nullptr);
  thread.start();
  thread.write(*thing, 5);
  thread.abort();
  EXPECT_EQ(thread.committed(*thing).get(), nullptr);
}

TEST_F(TransactionTest, the_status_goes_from_idle_to_active_and_back_with_a_generation_for_each_attempt) {
  const std::uint64_t generation = thread.self.state().generation();
  EXPECT_EQ(thread.state(), State::Idle);
  thread.start();
  EXPECT_EQ(thread.state(), State::Active);
  EXPECT_EQ(thread.self.state().generation(), generation + 1);
  EXPECT_TRUE(thread.finish());
  EXPECT_EQ(thread.state(), State::Idle);
  EXPECT_EQ(thread.self.state().generation(), generation + 1);
  thread.start();
  EXPECT_EQ(thread.self.state().generation(), generation + 2);
  doom(thread.self);
  EXPECT_EQ(thread.state(), State::Doomed);
  thread.abort();
  EXPECT_EQ(thread.state(), State::Idle);
}

TEST_F(TransactionTest, everything_is_released_at_its_end) {
  for (const bool commits : {true, false}) {
    thread.start();
    thread.read(*thing, 0);
    thread.read(*thing, 1, Mode::Update);
    thread.write(*second, 7);
    commits ? static_cast<void>(thread.finish()) : thread.abort();
    for (int attribute = 0; attribute < 4; ++attribute) {
      EXPECT_EQ(thing->record(attribute).held_by(thread.self), Mode::None);
      EXPECT_EQ(second->record(attribute).held_by(thread.self), Mode::None);
    }
    EXPECT_TRUE(thread.self.accesses.empty());
    EXPECT_TRUE(thread.self.log.empty());
  }
}

TEST_F(TransactionTest, a_doomed_attempt_cannot_commit_and_every_access_says_so) {
  thread.start();
  thread.write(*thing, 9);
  EXPECT_TRUE(doom(thread.self));
  EXPECT_FALSE(doom(thread.self)) << "it was doomed already";
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
  EXPECT_THROW(thread.read(*thing), Aborted);
  EXPECT_THROW(thread.read(*second), Aborted);
  EXPECT_FALSE(thread.finish());
  EXPECT_EQ(thread.state(), State::Doomed);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
}

TEST_F(TransactionTest, an_attempt_that_another_doomed_notices_at_its_next_access) {
  thread.start();
  thread.write(*thing, 9);
  std::uint64_t status = thread.self.status.load();
  ASSERT_TRUE(thread.self.status.compare_exchange(
      status, Status::of(Status{status}.generation(), State::Doomed).bits));
  EXPECT_THROW(thread.read(*second), Aborted);
  EXPECT_FALSE(holds(thread.self, thing->record(0))) << "from there on every barrier raises";
  EXPECT_FALSE(thread.finish());
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
}

TEST_F(TransactionTest, a_doom_does_not_touch_an_attempt_that_has_committed_or_ended) {
  doom(thread.self);
  EXPECT_EQ(thread.state(), State::Idle);
}

TEST_F(TransactionTest, inline_checks_know_what_is_held_and_what_is_logged) {
  thread.start();
  const Record& record = thing->record(0);
  EXPECT_FALSE(holds(thread.self, record));
  thread.read(*thing);
  EXPECT_TRUE(holds(thread.self, record));
  EXPECT_FALSE(holds_logged(thread.self, record));
  thread.read(*thing, 0, Mode::Update);
  EXPECT_TRUE(holds(thread.self, record));
  EXPECT_FALSE(holds_logged(thread.self, record));
  thread.write(*thing, 3);
  EXPECT_TRUE(holds_logged(thread.self, record));
  Thread other;
  other.start();
  EXPECT_FALSE(holds(other.self, record));
  EXPECT_FALSE(holds_logged(other.self, record));
  other.abort();
  ASSERT_TRUE(thread.finish());
  EXPECT_FALSE(holds(thread.self, record));
}

// Between the two whatever is not held already, or is written, takes the whole way.
TEST_F(TransactionTest, inline_checks_are_suspended_for_all_but_reads_of_what_is_held) {
  thread.start();
  thread.write(*thing, 5);
  Outcome outcome;
  suspend_quick_access(thread.self);
  EXPECT_TRUE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
  EXPECT_FALSE(read_quickly(thread.self, second->record(0), second.get(), outcome));
  EXPECT_FALSE(write_quickly(thread.self, second->record(0), second.get(), outcome));
  resume_quick_access(thread.self);
  EXPECT_TRUE(holds_logged(thread.self, thing->record(0)));
  EXPECT_TRUE(thread.self.usual);
  suspend_quick_access(thread.self);
  doom(thread.self);
  resume_quick_access(thread.self);
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  thread.abort();
}

// What was left over from the attempt before says nothing about this one.
TEST_F(TransactionTest, an_attempt_begins_with_no_blocker_and_no_refusals) {
  Thread other;
  other.start();
  other.write(*thing, 5);
  thread.start();
  thread.read(*second);
  EXPECT_THROW(thread.read(*thing), Aborted);
  EXPECT_TRUE(thread.self.blocker);
  thread.self.refusals = thread.self.lost_races = 1;  // whose request was not made again
  thread.abort();
  thread.start();
  EXPECT_FALSE(thread.self.blocker);
  EXPECT_EQ(thread.self.refusals, 0U);
  EXPECT_EQ(thread.self.lost_races, 0U);
  thread.abort();
  other.abort();
}

TEST_F(TransactionTest, outside_of_an_attempt_no_record_looks_held) {
  EXPECT_FALSE(holds(thread.self, thing->record(0)));
  EXPECT_FALSE(holds_logged(thread.self, thing->record(0)));
}

TEST_F(TransactionTest, one_reference_is_counted_for_neighbouring_accesses_of_one_object) {
  thread.start();
  EXPECT_EQ(thread.ask(*thing, 0, Mode::Read), Outcome::Registered);
  EXPECT_EQ(thread.ask(*thing, 1, Mode::Write), Outcome::RegisteredAgain);
  EXPECT_EQ(thread.ask(*second, 0, Mode::Read), Outcome::Registered);
  EXPECT_EQ(thread.ask(*thing, 2, Mode::Read), Outcome::Registered);
  EXPECT_EQ(thread.ask(*thing, 1, Mode::Read), Outcome::Held);
  EXPECT_EQ(thread.ask(*thing, 0, Mode::Write), Outcome::Raised);
  EXPECT_EQ(thing->references, 3);
  EXPECT_EQ(second->references, 2);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(thing->references, 1);
  EXPECT_EQ(second->references, 1);
}

TEST_F(TransactionTest, what_it_has_accessed_lives_until_it_ends) {
  Object* object = second.get();
  bool gone = false;
  second->finaliser = [&] { gone = true; };
  thread.start();
  thread.read(*second);
  second = Ref<Thing>();
  EXPECT_EQ(object->references, 1);
  EXPECT_FALSE(gone);
  ASSERT_TRUE(thread.finish());
  EXPECT_TRUE(gone);
}

TEST_F(TransactionTest, the_log_is_replayed_newest_first_for_changes_of_any_kind) {
  static std::vector<int> restored;
  restored.clear();
  static const Change change{[](void*, void* old_value) -> void* {
    restored.push_back(static_cast<int>(static_cast<Object*>(old_value)->number));
    return old_value;
  }};
  thread.start();
  ASSERT_EQ(thread.ask(*thing, 0, Mode::Write), Outcome::Registered);
  for (const long number : {1, 2, 3}) {
    reserve_entry(thread.self);
    log_change(thread.self, thing->record(0), thing.get(), change, make<Object>(number).give_away(), false);
  }
  thread.abort();
  EXPECT_EQ(restored, (std::vector{3, 2, 1}));
}

TEST_F(TransactionTest, under_exclusive_reads_every_access_is_exclusive) {
  thread.start({.exclusive = true});
  EXPECT_EQ(thread.number(*thing), 1);
  EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Exclusive);
  EXPECT_TRUE(holds_logged(thread.self, thing->record(0))) << "its old value was logged as it was acquired";
  thread.write(*thing, 4);
  thread.abort();
  EXPECT_EQ(thread.committed_number(*thing), 1);
  thread.start();
  EXPECT_EQ(mode_for(thread.self, thing->record(0), Mode::Read), Mode::Read) << "it ended with its attempt";
  ASSERT_TRUE(thread.finish());
}

TEST_F(TransactionTest, from_a_nested_exclusive_one_on_what_was_read_is_taken_exclusively) {
  thread.start();
  thread.read(*thing);
  set_exclusive(thread.self, true);
  EXPECT_EQ(thread.ask(*thing, 0, mode_for(thread.self, thing->record(0), Mode::Read)), Outcome::Raised);
  EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Exclusive);
  thread.write(*second, 5);
  EXPECT_EQ(thread.ask(*second, 0, Mode::Exclusive), Outcome::Held);
  thread.abort();
}

TEST_F(TransactionTest, the_quick_ways_do_what_the_whole_way_does) {
  thread.quick = true;
  for (const bool commits : {false, true}) {
    thread.start();
    Outcome outcome;
    EXPECT_TRUE(read_quickly(thread.self, thing->record(0), thing.get(), outcome));
    EXPECT_EQ(outcome, Outcome::Registered);
    retain(thing.get());
    EXPECT_FALSE(read_quickly(thread.self, thing->record(0), thing.get(), outcome)) << "it is held already";
    thread.write(*thing, 5, 0);
    thread.write(*thing, 6, 1);
    EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Write);
    EXPECT_TRUE(holds_logged(thread.self, thing->record(1)));
    EXPECT_EQ(thing->references, 2);
    commits ? static_cast<void>(thread.finish()) : thread.abort();
    for (const int attribute : {0, 1}) {
      EXPECT_EQ(thread.committed_number(*thing, attribute), commits ? 5 + attribute : 1);
      EXPECT_EQ(thing->record(attribute).held_by(thread.self), Mode::None);
    }
    EXPECT_EQ(thing->references, 1);
  }
}

TEST_F(TransactionTest, the_quick_ways_refuse_what_is_not_simple) {
  Outcome outcome;
  const auto neither = [&](const char* why) {
    EXPECT_FALSE(read_quickly(thread.self, second->record(0), second.get(), outcome)) << why;
    EXPECT_FALSE(write_quickly(thread.self, second->record(0), second.get(), outcome)) << why;
  };
  neither("no attempt");
  Thread other;
  other.start();
  thread.start();
  other.write(*second, 3);
  neither("held by another");
  other.abort();
  set_exclusive(thread.self, true);
  neither("under exclusive reads");
  thread.abort();
  thread.self.promoted.insert(second->record(0));
  thread.start();
  neither("promoted");
  thread.self.promoted.clear();
  thread.abort();
  thread.start();
  thread.nested([&] {
    EXPECT_FALSE(write_quickly(thread.self, second->record(0), second.get(), outcome)) << "in a savepoint";
  });
  other.start();
  other.read(*second);
  thread.read(*second);
  EXPECT_FALSE(write_quickly(thread.self, second->record(0), second.get(), outcome))
      << "another one reads it";
  other.abort();
  doom(thread.self);
  neither("doomed");
  thread.abort();
}

TEST_F(TransactionTest, the_quick_ways_refuse_where_there_is_no_room) {
  std::vector<Ref<Thing>> things;
  const auto another = [&]() -> Thing& { return *things.emplace_back(make<Thing>(1)); };
  Outcome outcome;
  thread.start();
  thread.write(another(), 2);
  while (thread.self.accesses.has_room()) thread.read(another());
  EXPECT_FALSE(read_quickly(thread.self, thing->record(0), thing.get(), outcome));
  while (thread.self.log.has_room()) thread.write(another(), 2);
  while (!thread.self.accesses.has_room()) thread.read(another());
  EXPECT_FALSE(write_quickly(thread.self, thing->record(0), thing.get(), outcome));
  thread.abort();
}

TEST_F(TransactionTest, an_exception_leaves_nothing_changed_and_passes_through) {
  EXPECT_THROW(thread.call([&] {
    thread.write(*thing, 8);
    throw std::runtime_error("the user's");
  }),
               std::runtime_error);
  EXPECT_EQ(thread.committed_number(*thing), 1);
  EXPECT_EQ(thread.state(), State::Idle);
}

TEST_F(TransactionTest, grows_to_as_many_accesses_as_are_made) {
  std::vector<Ref<Thing>> things;
  for (long number = 0; number < 10'000; ++number) things.push_back(make<Thing>(number));
  for (const bool commits : {false, true}) {
    thread.start();
    for (const auto& each : things) thread.write(*each, -each->number - 1, 2);
    commits ? static_cast<void>(thread.finish()) : thread.abort();
    long number = 0;
    for (const auto& each : things) {
      ASSERT_EQ(thread.committed_number(*each, 2), commits ? -each->number - 1 : number) << number;
      ++number;
    }
  }
}

}  // namespace
}  // namespace stmpy::core::test
