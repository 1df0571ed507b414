// While an attempt's own AbortTransaction unwinds the stack (protocol, section 5).
#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

class UnwindingTest : public CoreTest {
 protected:
  UnwindingTest() {
    thread.start();
    thread.write(*thing, 5);
    other.start();
    other.write(*foreign, 6);
    EXPECT_THROW(thread.read(*foreign), Aborted);
  }
  ~UnwindingTest() override {
    thread.abort();
    other.abort();
    EXPECT_EQ(thread.committed_number(*thing), 1);
    EXPECT_EQ(thread.committed_number(*thing, 1), 1);
  }

  Ref<Thing> thing = make<Thing>(1), foreign = make<Thing>(2);
  Thread thread, other;
};

TEST_F(UnwindingTest, the_attempt_still_owns_what_it_owned) {
  EXPECT_EQ(thread.state(), State::Doomed);
  EXPECT_EQ(thing->record(0).held_by(thread.self), Mode::Write);
  EXPECT_EQ(thread.ask(*thing, 0, Mode::Write, true), Outcome::Held);
  EXPECT_THROW(other.read(*thing), Aborted);
}

TEST_F(UnwindingTest, what_is_free_at_once_is_granted_and_reverted_with_the_rest) {
  EXPECT_EQ(thread.ask(*thing, 1, Mode::Write, true), Outcome::RegisteredAgain);
  const auto old =
      Ref<Object>::stolen(static_cast<Object*>(thing->slot(1).exchange(make<Object>(7).give_away())));
  EXPECT_EQ(thread.ask(*thing, 2, Mode::Read, true), Outcome::RegisteredAgain);
  EXPECT_EQ(thread.ask(*thing, 2, Mode::Write, true), Outcome::Raised);
}

TEST_F(UnwindingTest, as_much_as_is_asked_for_is_granted) {
  std::vector<Ref<Thing>> many;
  for (int made = 0; made < 100; ++made) {
    many.push_back(make<Thing>(1));
    EXPECT_EQ(thread.ask(*many.back(), 0, Mode::Write, true), Outcome::Registered);
  }
}

TEST_F(UnwindingTest, what_is_not_free_raises_again_at_once) {
  EXPECT_EQ(thread.ask(*foreign, 0, Mode::Read, true), Outcome::Aborted);
  EXPECT_EQ(thread.self.claimed, nullptr);
}

TEST_F(UnwindingTest, behind_it_every_access_raises_again) {
  EXPECT_EQ(thread.ask(*thing, 0, Mode::Read), Outcome::Aborted);
  EXPECT_EQ(thread.ask(*thing, 3, Mode::Read), Outcome::Aborted);
}

}  // namespace
}  // namespace stmpy::core::test
