// Giving references back behind the end of an attempt runs finalisers, which may begin attempts on the same
// thread.
#include <functional>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class ReferencesTest : public CoreTest {
 protected:
  Ref<Object> with_finaliser(std::function<void()> finaliser) {
    auto value = make<Object>(5);
    value->finaliser = std::move(finaliser);
    return value;
  }

  Ref<Thing> thing = make<Thing>(1), other = make<Thing>(100);
  Thread thread;
};

TEST_F(ReferencesTest, old_values_die_behind_the_end_of_the_attempt_that_replaced_them) {
  int died = 0;
  const auto dies = [&] {
    EXPECT_EQ(thread.state(), State::Idle);
    EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::None);
    ++died;
  };
  thread.call([&] { thread.write(*thing, with_finaliser(dies)); });
  thread.start();
  thread.write(*thing, 2);
  EXPECT_EQ(died, 0);
  thread.abort();
  EXPECT_EQ(died, 0) << "it is back in its place";
  thread.call([&] { thread.write(*thing, 3); });
  EXPECT_EQ(died, 1);
}

TEST_F(ReferencesTest, values_that_were_reverted_die_behind_the_end_of_their_attempt) {
  int died = 0;
  thread.start();
  thread.write(*thing, with_finaliser([&] {
    EXPECT_EQ(thread.state(), State::Idle);
    EXPECT_EQ(thread.committed_number(*thing), 1);
    ++died;
  }));
  thread.abort();
  EXPECT_EQ(died, 1);
}

TEST_F(ReferencesTest, finalisers_may_run_transactions_that_commit_and_abort) {
  int died = 0;
  for (int attribute = 0; attribute < 4; ++attribute) {
    thread.call([&] {
      thread.write(*thing, with_finaliser([&] {
        ++died;
        thread.call([&] { thread.write(*other, thread.number(*other) + 1); });
        thread.start();
        thread.write(*other, -1);
        thread.write(*thing, -1, 3);
        thread.abort();
      }),
                   attribute);
    });
  }
  thread.call([&] {
    for (int attribute = 0; attribute < 4; ++attribute) thread.write(*thing, 50, attribute);
  });
  EXPECT_EQ(died, 4);
  EXPECT_EQ(thread.committed_number(*other), 104);
  for (int attribute = 0; attribute < 4; ++attribute)
    EXPECT_EQ(thread.committed_number(*thing, attribute), 50);
  EXPECT_TRUE(thread.self.log.empty());
  EXPECT_TRUE(thread.self.accesses.empty());
}

TEST_F(ReferencesTest, a_chain_of_finalisers_each_inside_of_the_other_one_s_release) {
  constexpr int kDepth = 100;
  int died = 0;
  std::function<void(int)> put = [&](int depth) {
    thread.call([&, depth] {
      thread.write(*thing, with_finaliser([&, depth] {
        ++died;
        if (depth < kDepth) {
          put(depth + 1);
          thread.call([&] { thread.write(*thing, 0); });  // kills it, from inside of this one's death
        }
      }));
    });
  };
  put(1);
  thread.call([&] { thread.write(*thing, 0); });
  EXPECT_EQ(died, kDepth);
  EXPECT_TRUE(thread.self.log.empty());
  EXPECT_TRUE(thread.self.accesses.empty());
}

TEST_F(ReferencesTest, an_attempt_in_a_finaliser_sees_and_reverts_its_own_entries_only) {
  bool died = false;
  thread.call([&] {
    thread.write(*thing, with_finaliser([&] {
      died = true;
      thread.start();
      EXPECT_TRUE(thread.self.log.empty_since(thread.self.first_entry.get()));
      EXPECT_EQ(thread.ask(*thing, 0, Mode::Read), Outcome::Registered) << "with a reference of its own";
      EXPECT_EQ(thread.number(*thing, 0), 2);
      thread.write(*thing, 99, 0);
      thread.abort();
      EXPECT_EQ(thread.committed_number(*thing, 0), 2);
    }),
                 1);
  });
  thread.call([&] {
    thread.write(*thing, 2, 0);
    thread.write(*thing, 2, 1);
    thread.write(*thing, 2, 2);
  });
  EXPECT_TRUE(died);
  for (int attribute = 0; attribute < 3; ++attribute)
    EXPECT_EQ(thread.committed_number(*thing, attribute), 2);
}

TEST_F(ReferencesTest, large_attempts_inside_of_releases_cross_chunks) {
  std::vector<Ref<Thing>> things;
  for (int made = 0; made < 500; ++made) things.push_back(make<Thing>(0));
  const auto count_all_up = [&] {
    thread.call([&] {
      for (const auto& each : things) thread.write(*each, thread.number(*each) + 1);
    });
  };
  thread.call([&] {
    for (const auto& each : things) thread.write(*each, with_finaliser([&] { count_all_up(); }), 1);
  });
  thread.call([&] {
    for (const auto& each : things) {
      if (each.get() == things[31].get() || each.get() == things[32].get() ||
          each.get() == things[499].get()) {
        thread.write(*each, 0, 1);
      }
    }
  });
  for (const auto& each : things) EXPECT_EQ(thread.committed_number(*each), 3);
  thread.call([&] {
    for (const auto& each : things) {
      auto value = thread.read(*each, 1);
      value->finaliser = nullptr;
    }
  });
}

TEST_F(ReferencesTest, whom_an_aborted_call_waits_for_survives_the_attempts_of_finalisers) {
  Thread blocker;
  blocker.start();
  blocker.write(*other, 1);
  thread.start();
  thread.write(*thing, with_finaliser([&] { thread.call([&] { thread.read(*thing, 1); }); }));
  EXPECT_THROW(thread.write(*other, 2), Aborted);
  const Blocker blocked_by = thread.self.blocker;
  EXPECT_EQ(blocked_by.attempt, blocker.self.current());
  EXPECT_EQ(blocked_by.at, &other->record(0));
  thread.abort();
  EXPECT_EQ(thread.self.blocker, blocked_by);
  blocker.abort();
}

}  // namespace
}  // namespace stmpy::core::test
