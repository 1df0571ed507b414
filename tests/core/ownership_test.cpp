#include "runtime/core/ownership.h"

#include <deque>
#include <vector>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

constexpr Mode kModes[] = {Mode::Read, Mode::Update, Mode::Add, Mode::Write, Mode::Exclusive};

// Many attempts in progress, all driven by this thread: a request is granted or refused, it never waits.
class OwnershipTest : public CoreTest {
 protected:
  ~OwnershipTest() override {
    for (Thread& thread : threads) {
      if (thread.state() != State::Idle) thread.abort();
    }
  }
  Thread& newcomer() {
    threads.emplace_back().start();
    return threads.back();
  }
  std::vector<Thread*> newcomers(int count) {
    std::vector<Thread*> all;
    for (int made = 0; made < count; ++made) all.push_back(&newcomer());
    return all;
  }
  Request request(Thread& thread, Mode mode) { return record.request(thread.self, mode, refusal); }
  bool is_fat() const { return (record.bits() & Record::kFat) != 0; }
  std::uint64_t version() const { return record.view().version; }

  Record record;
  Refusal refusal;
  std::deque<Thread> threads;
};

TEST_F(OwnershipTest, modes_of_two_attempts_go_together_as_the_table_says) {
  const auto granted_beside = [](Mode wanted, Mode held) {
    if (wanted == Mode::Read) return held == Mode::Read || held == Mode::Update;
    if (wanted == Mode::Update) return held == Mode::Read;
    return wanted == Mode::Add && held == Mode::Add;
  };
  for (const bool fat : {false, true}) {
    for (const Mode held : kModes) {
      for (const Mode wanted : kModes) {
        Thread& holder = newcomer();
        Thread& requester = newcomer();
        ASSERT_EQ(request(holder, held), Request::Granted);
        if (fat) record.set_claim(holder.self);
        const Request answer = request(requester, wanted);
        if (fat) record.clear_claim(holder.self);
        // The claim's setter has no age, so that it holds back everybody; without it the table decides.
        const bool expected = granted_beside(wanted, held) && !fat;
        EXPECT_EQ(answer, expected ? Request::Granted : Request::Refused)
            << static_cast<int>(wanted) << " beside " << static_cast<int>(held);
        if (answer == Request::Refused) {
          EXPECT_EQ(refusal.by, holder.self.current());
        }
        record.release(requester.self);
        record.release(holder.self);
        EXPECT_EQ(record.held_by(holder.self), Mode::None);
      }
    }
  }
}

TEST_F(OwnershipTest, the_table_holds_in_a_fat_record_too) {
  for (const Mode wanted : kModes) {
    const std::vector<Thread*> readers = newcomers(4);
    for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
    ASSERT_TRUE(is_fat());
    Thread& requester = newcomer();
    const bool beside_readers = wanted == Mode::Read || wanted == Mode::Update;
    EXPECT_EQ(request(requester, wanted), beside_readers ? Request::Granted : Request::Refused);
    if (wanted == Mode::Update) {
      EXPECT_EQ(request(newcomer(), Mode::Read), Request::Granted);
      EXPECT_EQ(request(newcomer(), Mode::Update), Request::Refused);
      EXPECT_EQ(refusal.by, requester.self.current());
    }
    for (Thread& thread : threads) record.release(thread.self);
    EXPECT_FALSE(is_fat());
  }
}

TEST_F(OwnershipTest, a_pair_that_is_held_is_not_asked_for_again) {
  Thread& thread = newcomer();
  for (const Mode held : kModes) {
    for (const Mode wanted : kModes) {
      record.release(thread.self);
      ASSERT_EQ(request(thread, held), Request::Granted);
      const bool enough = held == wanted || is_write(held) || (held == Mode::Update && wanted == Mode::Read);
      EXPECT_EQ(request(thread, wanted), enough ? Request::Held : Request::Raised);
      // Changes that commute do not go together with reads of one's own: only a write allows both.
      const bool mixed = !enough && (held == Mode::Add) != (wanted == Mode::Add);
      EXPECT_EQ(record.held_by(thread.self), enough                       ? held
                                             : mixed && !is_write(wanted) ? Mode::Write
                                                                          : record.held_by(thread.self));
      EXPECT_TRUE(covers(record.held_by(thread.self), wanted));
      EXPECT_TRUE(covers(record.held_by(thread.self), held));
    }
  }
}

TEST_F(OwnershipTest, an_update_beside_readers_becomes_a_write_only_when_they_are_gone) {
  const std::vector<Thread*> readers = newcomers(2);
  Thread& updater = newcomer();
  for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
  ASSERT_EQ(request(updater, Mode::Update), Request::Granted);
  for (Thread* reader : readers) {
    EXPECT_EQ(request(updater, Mode::Write), Request::Refused);
    EXPECT_TRUE(refusal.of_upgrade);
    EXPECT_EQ(record.held_by(updater.self), Mode::Update);
    record.release(reader->self);
  }
  EXPECT_EQ(request(updater, Mode::Write), Request::Raised);
}

TEST_F(OwnershipTest, readers_stay_readers_when_the_updater_leaves) {
  const std::vector<Thread*> readers = newcomers(2);
  Thread& updater = newcomer();
  ASSERT_EQ(request(*readers[0], Mode::Read), Request::Granted);
  ASSERT_EQ(request(updater, Mode::Update), Request::Granted);
  ASSERT_EQ(request(*readers[1], Mode::Read), Request::Granted);
  record.release(updater.self);
  for (Thread* reader : readers) EXPECT_EQ(record.held_by(reader->self), Mode::Read);
  EXPECT_EQ(request(newcomer(), Mode::Update), Request::Granted);
}

TEST_F(OwnershipTest, a_reader_among_three_can_become_the_updater) {
  const std::vector<Thread*> readers = newcomers(3);
  for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
  EXPECT_EQ(request(*readers[1], Mode::Update), Request::Raised);
  EXPECT_EQ(request(*readers[2], Mode::Update), Request::Refused);
  EXPECT_EQ(record.held_by(readers[1]->self), Mode::Update);
  for (int reader : {0, 2}) EXPECT_EQ(record.held_by(readers[reader]->self), Mode::Read);
  EXPECT_FALSE(is_fat());
}

TEST_F(OwnershipTest, three_holders_fit_into_the_word_and_more_make_it_fat_until_it_is_free) {
  const std::vector<Thread*> readers = newcomers(50);
  for (int reader = 0; reader < 50; ++reader) {
    EXPECT_EQ(is_fat(), reader > Record::kThinHolders);
    ASSERT_EQ(request(*readers[reader], Mode::Read), Request::Granted);
  }
  for (Thread* reader : readers) EXPECT_EQ(record.held_by(reader->self), Mode::Read);
  for (Thread* reader : readers) {
    EXPECT_TRUE(is_fat());
    EXPECT_EQ(request(newcomer(), Mode::Write), Request::Refused);
    record.release(reader->self);
  }
  EXPECT_FALSE(is_fat());
  EXPECT_EQ(request(newcomer(), Mode::Write), Request::Granted);
}

TEST_F(OwnershipTest, an_updater_stays_one_when_the_word_becomes_fat) {
  Thread& updater = newcomer();
  ASSERT_EQ(request(updater, Mode::Update), Request::Granted);
  const std::vector<Thread*> readers = newcomers(3);
  for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
  ASSERT_TRUE(is_fat());
  EXPECT_EQ(record.held_by(updater.self), Mode::Update);
  for (Thread* reader : readers) EXPECT_EQ(record.held_by(reader->self), Mode::Read);
}

TEST_F(OwnershipTest, there_is_no_limit_on_threads) {
  const std::vector<Thread*> all = newcomers(static_cast<int>(Record::kLargestThinId) + 20);
  Thread& last = *all.back();
  ASSERT_GT(last.self.id, Record::kLargestThinId);
  Thread& other = *all[all.size() - 2];
  EXPECT_EQ(request(last, Mode::Write), Request::Granted);
  EXPECT_TRUE(is_fat());
  EXPECT_EQ(record.view().writer, &last.self);
  EXPECT_EQ(request(*all[0], Mode::Read), Request::Refused);
  EXPECT_EQ(request(other, Mode::Read), Request::Refused);
  EXPECT_EQ(refusal.by, last.self.current());
  record.release(last.self);
  for (Thread* thread : all) ASSERT_EQ(request(*thread, Mode::Read), Request::Granted);
  EXPECT_EQ(request(last, Mode::Write), Request::Refused);
  for (Thread* thread : all) record.release(thread->self);
  EXPECT_FALSE(is_fat());
}

TEST_F(OwnershipTest, only_the_end_of_what_may_have_changed_it_bumps_the_version) {
  for (const bool fat : {false, true}) {
    for (const Mode mode : kModes) {
      Thread& thread = newcomer();
      Thread& waiter = newcomer();
      const std::uint64_t before = version();
      ASSERT_EQ(request(thread, mode), Request::Granted);
      if (fat) {
        ASSERT_EQ(record.set_claim(waiter.self), Claim::Set);
      }
      EXPECT_EQ(version(), before);
      record.release(thread.self);
      EXPECT_EQ(version(), before + (changes(mode) ? Record::kVersionStep : 0));
      record.clear_claim(waiter.self);
      EXPECT_FALSE(is_fat());
      EXPECT_EQ(version(), before + (changes(mode) ? Record::kVersionStep : 0));
    }
  }
}

TEST_F(OwnershipTest, the_version_wraps_without_touching_the_holders) {
  Thread& thread = newcomer();
  Record worn;
  // As after 2^29 - 1 writes.
  reinterpret_cast<Word&>(worn).store(~std::uint64_t{0} << Record::kVersionShift);
  ASSERT_TRUE(worn.take_if_free(thread.self.thin_id, Mode::Write));
  ASSERT_TRUE(worn.release_if_alone(thread.self.thin_id));
  EXPECT_EQ(worn.bits(), 0U);
}

TEST_F(OwnershipTest, the_short_ways_take_and_release_what_the_long_ones_do) {
  for (const Mode mode : kModes) {
    Thread& thread = newcomer();
    Thread& other = newcomer();
    Record twin;
    ASSERT_TRUE(record.take_if_free(thread.self.thin_id, mode));
    ASSERT_EQ(twin.request(thread.self, mode, refusal), Request::Granted);
    EXPECT_EQ(record.bits() & ~(~std::uint64_t{0} << Record::kVersionShift), twin.bits());
    EXPECT_FALSE(record.take_if_free(other.self.thin_id, Mode::Read));
    EXPECT_FALSE(record.release_if_alone(other.self.thin_id));
    const std::uint64_t before = version();
    ASSERT_TRUE(record.release_if_alone(thread.self.thin_id));
    twin.release(thread.self);
    EXPECT_EQ(version() - before, twin.view().version);
    EXPECT_EQ(record.held_by(thread.self), Mode::None);
  }
  EXPECT_FALSE(record.take_if_free(0, Mode::Read)) << "an id that does not fit";
  EXPECT_FALSE(record.release_if_alone(0));
}

TEST_F(OwnershipTest, the_short_way_to_an_upgrade_is_for_who_reads_it_alone) {
  for (const Mode mode : kModes) {
    Thread& thread = newcomer();
    Thread& other = newcomer();
    ASSERT_EQ(request(thread, mode), Request::Granted);
    EXPECT_FALSE(record.raise_if_alone(other.self.thin_id));
    EXPECT_FALSE(record.raise_if_alone(0));
    EXPECT_EQ(record.raise_if_alone(thread.self.thin_id), mode == Mode::Read || mode == Mode::Update);
    EXPECT_EQ(record.held_by(thread.self), mode == Mode::Read || mode == Mode::Update ? Mode::Write : mode);
    record.release(thread.self);
  }
  const std::vector<Thread*> readers = newcomers(2);
  for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
  for (Thread* reader : readers) EXPECT_FALSE(record.raise_if_alone(reader->self.thin_id));
  EXPECT_FALSE(record.raise_if_alone(0));
}

TEST_F(OwnershipTest, a_release_beside_other_readers_takes_the_long_way) {
  const std::vector<Thread*> readers = newcomers(2);
  for (Thread* reader : readers) ASSERT_EQ(request(*reader, Mode::Read), Request::Granted);
  for (Thread* reader : readers) EXPECT_FALSE(record.release_if_alone(reader->self.thin_id));
  record.release(readers[0]->self);
  EXPECT_TRUE(record.release_if_alone(readers[1]->self.thin_id));
}

TEST_F(OwnershipTest, the_watched_bit_is_taken_by_the_release_of_a_write_and_by_nothing_else) {
  for (const bool fat : {false, true}) {
    Record watched;
    reinterpret_cast<Word&>(watched).store(Record::kWatched);
    const std::vector<Thread*> readers = newcomers(fat ? 5 : 1);
    for (Thread* reader : readers)
      ASSERT_EQ(watched.request(reader->self, Mode::Read, refusal), Request::Granted);
    for (Thread* reader : readers) {
      EXPECT_FALSE(watched.release_if_alone(reader->self.thin_id)) << "who looks up the watchers then?";
      EXPECT_FALSE(watched.release(reader->self));
    }
    EXPECT_EQ(watched.bits(), Record::kWatched);
    Thread& writer = newcomer();
    ASSERT_EQ(watched.request(writer.self, Mode::Write, refusal), Request::Granted);
    if (fat) {
      ASSERT_EQ(watched.set_claim(readers[0]->self), Claim::Set);
    }
    EXPECT_TRUE(watched.release(writer.self));
    watched.clear_claim(readers[0]->self);
    EXPECT_EQ(watched.bits(), Record::kVersionStep);
  }
}

TEST_F(OwnershipTest, a_release_of_what_is_as_it_was_leaves_the_watched_bit) {
  for (const bool fat : {false, true}) {
    Record watched;
    Thread& writer = newcomer();
    ASSERT_EQ(watched.request(writer.self, Mode::Write, refusal), Request::Granted);
    watched.set_watched();
    if (fat) {
      ASSERT_EQ(watched.set_claim(writer.self), Claim::Set);
    }
    EXPECT_FALSE(watched.release(writer.self, false));
    EXPECT_TRUE(watched.is_watched());
    watched.clear_claim(writer.self);
  }
}

TEST_F(OwnershipTest, who_adds_and_comes_to_read_writes_in_a_fat_record_too) {
  for (const int count : {2, 5}) {
    const std::vector<Thread*> all = newcomers(count);
    for (Thread* thread : all) ASSERT_EQ(request(*thread, Mode::Add), Request::Granted);
    EXPECT_EQ(is_fat(), count > 3);
    EXPECT_EQ(request(*all[0], Mode::Read), Request::Refused);
    EXPECT_TRUE(refusal.of_upgrade);
    for (int left = 1; left < count; ++left) record.release(all[static_cast<std::size_t>(left)]->self);
    EXPECT_EQ(request(*all[0], Mode::Read), Request::Raised);
    EXPECT_EQ(record.held_by(all[0]->self), Mode::Write);
    record.release(all[0]->self);
  }
}

TEST_F(OwnershipTest, the_view_of_outside_names_the_writer_and_nobody_else) {
  for (const Mode mode : kModes) {
    Thread& thread = newcomer();
    Thread& claimer = newcomer();
    ASSERT_EQ(request(thread, mode), Request::Granted);
    EXPECT_EQ(record.view().writer, is_write(mode) ? &thread.self : nullptr);
    ASSERT_EQ(record.set_claim(claimer.self), Claim::Set);
    EXPECT_EQ(record.view().writer, is_write(mode) ? &thread.self : nullptr);
    record.clear_claim(claimer.self);
    record.release(thread.self);
    EXPECT_EQ(record.view().writer, nullptr);
  }
}

TEST_F(OwnershipTest, who_holds_nothing_releases_nothing) {
  Thread& holder = newcomer();
  Thread& other = newcomer();
  ASSERT_EQ(request(holder, Mode::Write), Request::Granted);
  EXPECT_FALSE(record.release(other.self));
  EXPECT_EQ(record.held_by(holder.self), Mode::Write);
  EXPECT_EQ(record.held_by(other.self), Mode::None);
}

TEST_F(OwnershipTest, a_retired_descriptor_is_the_next_one_adopted) {
  std::uint32_t id = 0;
  {
    const Thread thread;
    id = thread.self.id;
    const Thread second;
    EXPECT_EQ(second.self.id, id + 1);
  }
  const Thread thread;
  EXPECT_EQ(thread.self.id, id);
}

}  // namespace
}  // namespace stmpy::core::test
