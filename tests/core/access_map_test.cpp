#include <algorithm>
#include <map>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class AccessMapTest : public CoreTest {
 protected:
  std::map<Record*, Mode> pairs_of(const Thread& of) {
    const Observer observer(outsider.self);
    for (const Seen& seen : transactions_in_progress(observer)) {
      if (seen.attempt != of.self.current()) continue;
      std::map<Record*, Mode> pairs;
      for (const Seen::Pair& pair : seen.pairs) pairs[pair.record] = pair.mode;
      return pairs;
    }
    return {};
  }
  std::size_t in_progress() {
    const Observer observer(outsider.self);
    return transactions_in_progress(observer).size();
  }

  Ref<Thing> thing = make<Thing>(1), second = make<Thing>(2);
  Thread thread, other, outsider;
};

TEST_F(AccessMapTest, shows_each_transaction_with_its_pairs_and_their_modes) {
  thread.start();
  thread.read(*thing, 0);
  thread.read(*thing, 1, Mode::Update);
  thread.write(*second, 3, 2);
  other.start();
  other.read(*thing, 0);
  EXPECT_EQ(pairs_of(thread), (std::map<Record*, Mode>{{&thing->record(0), Mode::Read},
                                                       {&thing->record(1), Mode::Update},
                                                       {&second->record(2), Mode::Write}}));
  EXPECT_EQ(pairs_of(other), (std::map<Record*, Mode>{{&thing->record(0), Mode::Read}}));
  thread.write(*thing, 9, 1);
  EXPECT_EQ(pairs_of(thread)[&thing->record(1)], Mode::Write);
  thread.abort();
  other.abort();
}

TEST_F(AccessMapTest, names_the_object_of_each_pair) {
  thread.start();
  thread.read(*thing, 0);
  thread.read(*thing, 1);
  thread.read(*second, 0);
  const Observer observer(outsider.self);
  const std::vector<Seen> all = transactions_in_progress(observer);
  ASSERT_EQ(all.size(), 1U);
  ASSERT_EQ(all[0].pairs.size(), 3U);
  EXPECT_EQ(all[0].pairs[0].object, thing.get());
  EXPECT_EQ(all[0].pairs[1].object, thing.get()) << "without the bit that says who counts the reference";
  EXPECT_EQ(all[0].pairs[2].object, second.get());
  thread.abort();
}

TEST_F(AccessMapTest, knows_nothing_of_transactions_that_have_ended) {
  EXPECT_EQ(in_progress(), 0U);
  thread.start();
  other.start();
  EXPECT_EQ(in_progress(), 2U);
  thread.write(*thing, 1);
  ASSERT_TRUE(thread.finish());
  EXPECT_EQ(in_progress(), 1U);
  other.abort();
  EXPECT_EQ(in_progress(), 0U);
}

TEST_F(AccessMapTest, shows_a_doomed_one_until_it_has_ended) {
  thread.start();
  thread.write(*thing, 5);
  doom(thread.self);
  EXPECT_EQ(pairs_of(thread).size(), 1U);
  thread.abort();
  EXPECT_EQ(in_progress(), 0U);
}

TEST_F(AccessMapTest, of_an_attempt_begun_by_a_finaliser_shows_its_own_pairs_only) {
  auto value = make<Object>(1);
  bool died = false;
  value->finaliser = [&] {
    died = true;
    thread.start();
    thread.read(*second, 3);
    EXPECT_EQ(pairs_of(thread), (std::map<Record*, Mode>{{&second->record(3), Mode::Read}}));
    thread.abort();
  };
  thread.call([&] { thread.write(*thing, std::move(value)); });
  thread.call([&] {
    thread.read(*thing, 1);
    thread.write(*thing, 2);
  });
  EXPECT_TRUE(died);
}

}  // namespace
}  // namespace stmpy::core::test
