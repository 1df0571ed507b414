// Effects (protocol, section 6: stamp): what happens at the commit and not before.
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

struct Failed {};

class EffectsTest : public CoreTest {
 protected:
  struct Tally : Thing {
    std::int64_t sum = 0;
    std::uint64_t last_stamp = 0;
  };
  static void apply(void* object, void*, std::int64_t amount, std::uint64_t stamp) {
    auto* tally = static_cast<Tally*>(static_cast<Thing*>(object));
    tally->sum += amount;
    tally->last_stamp = stamp;
  }
  static constexpr Effect kAdd{apply};

  void add(Thread& who, std::int64_t amount, Ref<Object> reference = {}) {
    who.ask(*tally, 0, Mode::Add);
    defer(who.self, kAdd, static_cast<Thing*>(tally.get()), reference.give_away(), amount);
  }
  template <class Body>
  void fail_nested(Body body) {
    EXPECT_THROW(thread.nested([&] {
      body();
      throw Failed{};
    }),
                 Failed);
  }

  Ref<Tally> tally = make<Tally>();
  Thread thread, other;
};

TEST_F(EffectsTest, they_are_applied_at_the_commit_in_their_order) {
  thread.start();
  add(thread, 2);
  add(thread, 3);
  EXPECT_EQ(tally->sum, 0);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->sum, 5);
}

TEST_F(EffectsTest, an_abort_forgets_them) {
  thread.start();
  add(thread, 2, make<Object>());
  thread.abort();
  EXPECT_EQ(tally->sum, 0);
}

TEST_F(EffectsTest, a_reverted_savepoint_forgets_its_own) {
  thread.start();
  add(thread, 1);
  fail_nested([&] { add(thread, 10, make<Object>()); });
  thread.nested([&] { add(thread, 100, make<Object>()); });
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->sum, 101);
}

// A finaliser that runs while a savepoint is reverted belongs to the transaction, and so does what it defers.
TEST_F(EffectsTest, what_a_finaliser_defers_while_a_savepoint_is_reverted_counts) {
  thread.start();
  fail_nested([&] {
    auto reference = make<Object>();
    reference->finaliser = [&] { add(thread, 7); };
    add(thread, 1, std::move(reference));
    add(thread, 2, make<Object>());
  });
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->sum, 7);
}

// Whoever sums up what is deferred (python/collections/tally.h) sees by the count that it is stale: while the
// finalisers run, and behind them.
TEST_F(EffectsTest, a_reverted_savepoint_says_so_before_its_finalisers_run_and_behind_them) {
  std::uint64_t seen = 0;
  thread.start();
  const std::uint64_t before = thread.self.effect_reverts;
  fail_nested([&] {
    auto reference = make<Object>();
    reference->finaliser = [&] { seen = thread.self.effect_reverts; };
    add(thread, 1, std::move(reference));
  });
  EXPECT_GT(seen, before);
  EXPECT_GT(thread.self.effect_reverts, seen);
  thread.abort();
}

// Drawing a stamp is a write to a word that all threads share.
TEST_F(EffectsTest, who_needs_no_stamp_draws_none) {
  static constexpr Effect kUnstamped{apply, false};
  const std::uint64_t before = draw_stamp();
  thread.start();
  thread.ask(*tally, 0, Mode::Add);
  defer(thread.self, kUnstamped, static_cast<Thing*>(tally.get()), nullptr, 3);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->sum, 3);
  EXPECT_EQ(tally->last_stamp, 0u);
  EXPECT_EQ(draw_stamp(), before + 1);
}

TEST_F(EffectsTest, those_of_one_commit_have_one_stamp) {
  const std::uint64_t before = draw_stamp();
  thread.start();
  add(thread, 1);
  add(thread, 2);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->last_stamp, before + 1);
  EXPECT_EQ(draw_stamp(), before + 2);
}

TEST_F(EffectsTest, additions_of_two_attempts_go_together_and_a_later_commit_has_a_larger_stamp) {
  thread.start();
  other.start();
  add(thread, 1);
  add(other, 2);
  ASSERT_TRUE(other.finish());
  const std::uint64_t first = tally->last_stamp;
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(tally->sum, 3);
  EXPECT_GT(tally->last_stamp, first);
}

TEST_F(EffectsTest, their_references_are_let_go_behind_the_end) {
  auto reference = make<Object>();
  bool died = false;
  reference->finaliser = [&] {
    EXPECT_EQ(thread.state(), State::Idle);
    died = true;
  };
  thread.start();
  add(thread, 1, std::move(reference));
  EXPECT_FALSE(died);
  ASSERT_TRUE(thread.finish());
  EXPECT_TRUE(died);
}

TEST_F(EffectsTest, adders_and_readers_exclude_each_other_and_a_reader_sees_another_version) {
  const Record::View before = tally->record(0).view();
  thread.start();
  add(thread, 1);
  other.start();
  EXPECT_EQ(other.ask(*tally, 1, Mode::Read), Outcome::Registered);
  EXPECT_EQ(other.ask(*tally, 0, Mode::Read), Outcome::Aborted);
  other.abort();
  ASSERT_TRUE(thread.finish());
  EXPECT_NE(tally->record(0).view(), before);
}

}  // namespace
}  // namespace stmpy::core::test
