// What is seen of waits from outside.
#include "runtime/core/waits.h"

#include "runtime/core/irrevocable.h"
#include "tests/core/support/stage.h"

namespace stmpy::core::test {
namespace {

class WaitsTest : public CoreTest {
 protected:
  Actor::Part reads(Descriptor*& descriptor, bool behind_own_write = false) {
    return [this, &descriptor, behind_own_write](Thread& thread) {
      descriptor = &thread.self;
      thread.call([&] {
        if (behind_own_write) thread.write(*own, 2);
        thread.read(*thing);
      });
    };
  }
  Actor::Part writes(Descriptor*& descriptor) {
    return [this, &descriptor](Thread& thread) {
      descriptor = &thread.self;
      thread.call([&] { thread.write(*thing, 3); });
    };
  }
  static std::vector<SeenWait> waits() { return waits_since(Clock::now()); }
  void* object_of(const Awaiting& awaiting) {
    const Observer observer(looker.self);
    return awaited_object(observer, awaiting);
  }

  Ref<Thing> thing = make<Thing>(1), own = make<Thing>(1);
  Thread holder, looker;
  Descriptor *waiting = nullptr, *claiming = nullptr;
};

TEST_F(WaitsTest, a_wait_in_place_says_for_whom_and_for_what) {
  holder.start();
  holder.write(*thing, 2);
  Actor reader(reads(waiting));
  EXPECT_TRUE(waits().empty());
  const Clock::time_point before = Clock::now();
  reader.run_to(Step::Parking);
  ASSERT_EQ(waits().size(), 1U);
  EXPECT_TRUE(waits_since(before).empty());
  const SeenWait seen = waits().front();
  EXPECT_EQ(seen.waiter, waiting);
  EXPECT_EQ(seen.awaiting.whom, holder.self.current());
  EXPECT_EQ(object_of(seen.awaiting), thing.get());
  holder.finish();
  EXPECT_EQ(object_of(seen.awaiting), nullptr);
  reader.run_to_end();
  EXPECT_TRUE(waits().empty());
}

TEST_F(WaitsTest, a_wait_between_attempts_does_so_holding_nothing) {
  holder.start();
  holder.write(*thing, 2);
  Actor reader(reads(waiting, true));
  reader.run_to(Step::Parking);
  ASSERT_EQ(waits().size(), 1U);
  EXPECT_EQ(waiting->state().state(), State::Idle);
  EXPECT_EQ(waits().front().awaiting.whom, holder.self.current());
  EXPECT_EQ(object_of(waits().front().awaiting), thing.get());
  holder.finish();
  reader.run_to_end();
  EXPECT_TRUE(waits().empty());
}

TEST_F(WaitsTest, a_wait_at_any_record_of_a_private_object_is_for_that_object) {
  for (int attribute = 0; attribute < 4; ++attribute) {
    holder.start();
    const Ref<Thing> first = holder.make_private(), leaked = holder.make_private();
    Actor reader([&](Thread& thread) {
      waiting = &thread.self;
      thread.call([&] { thread.read(*leaked, attribute); });
    });
    reader.run_to(Step::Parking);
    const Awaiting awaiting = waiting->awaiting.get();
    EXPECT_EQ(object_of(awaiting), leaked.get()) << attribute;
    holder.finish();
    EXPECT_EQ(object_of(awaiting), nullptr);
    reader.run_to_end();
  }
}

TEST_F(WaitsTest, who_waits_behind_a_claim_is_seen_to_wait_for_what_its_setter_waits_for) {
  holder.start();
  holder.read(*thing);
  Actor writer(writes(claiming)), reader(reads(waiting));
  writer.run_to(Step::Parking);
  reader.run_to(Step::Parking);
  const Awaiting awaiting = waiting->awaiting.get();
  EXPECT_EQ(awaiting.whom, claiming->current());
  EXPECT_EQ(object_of(awaiting), thing.get());
  holder.finish();
  writer.run_to_end();
  reader.run_to_end();
}

TEST_F(WaitsTest, a_wait_for_the_token_is_one_for_whomever_it_is) {
  ASSERT_EQ(take_token(holder.self), Wait::Ended);
  holder.start();
  become_irrevocable(holder.self);
  Actor candidate([this](Thread& thread) {
    waiting = &thread.self;
    ASSERT_EQ(take_token(thread.self), Wait::Ended);
    EXPECT_EQ(thread.self.awaiting.get().number, 0U);
    give_back_token(thread.self);
  });
  candidate.run_to(Step::Parking);
  const Awaiting first = waiting->awaiting.get();
  EXPECT_EQ(first.whom, holder.self.current());
  EXPECT_EQ(first.at, nullptr);
  looker.self.age = kOldest;  // an older call, between two attempts
  holder.finish();
  candidate.let_go();
  Awaiting later;
  do later = waiting->awaiting.get();
  while (later.whom != looker.self.current());
  EXPECT_EQ(later.number, first.number);
  EXPECT_EQ(later.since, first.since);
  forget_age(looker.self);
  candidate.run_to_end();
  EXPECT_EQ(waiting->awaiting.get().number, 0U);
}

TEST_F(WaitsTest, a_wait_in_a_wait_is_seen_until_it_is_over) {
  holder.start();
  holder.write(*thing, 2);
  {
    const ShowAwaiting outer(looker.self, holder.self.current(), &thing->record(0));
    const Awaiting shown = looker.self.awaiting.get();
    {
      const ShowAwaiting inner(looker.self, holder.self.current(), &own->record(0));
      EXPECT_NE(looker.self.awaiting.get().number, shown.number);
      EXPECT_EQ(object_of(looker.self.awaiting.get()), nullptr);
    }
    EXPECT_EQ(looker.self.awaiting.get().number, shown.number);
    EXPECT_EQ(object_of(looker.self.awaiting.get()), thing.get());
  }
  EXPECT_TRUE(waits().empty());
  holder.finish();
}

}  // namespace
}  // namespace stmpy::core::test
