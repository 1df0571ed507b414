#include "runtime/core/append_log.h"

#include <vector>

#include "tests/core/support/world.h"

namespace stmpy::core::test {
namespace {

struct Entry {
  Shown<int> number;
  void set(int its_number) { number.set_release(its_number); }
};
using Log = AppendLog<Entry>;

constexpr int kMany = 20'000;  // over several chunks, the largest ones among them

class AppendLogTest : public CoreTest {
 protected:
  void push(int number) {
    log.reserve();
    log.push(number);
  }
  void push_range(int first, int last) {
    for (int number = first; number < last; ++number) push(number);
  }
  std::vector<int> forwards(Log::Position start) {
    std::vector<int> seen;
    log.forwards(start, [&](Entry& entry) { seen.push_back(entry.number.get()); });
    return seen;
  }
  std::vector<int> backwards(Log::Position start) {
    std::vector<int> seen;
    log.backwards(start, [&](Entry& entry) { seen.push_back(entry.number.get()); });
    return seen;
  }
  static std::vector<int> range(int first, int last) {
    std::vector<int> numbers;
    for (int number = first; number < last; ++number) numbers.push_back(number);
    return numbers;
  }

  Log log;
};

TEST_F(AppendLogTest, reads_forwards_and_backwards_what_was_pushed) {
  const Log::Position start = log.position();
  push_range(0, kMany);
  EXPECT_EQ(forwards(start), range(0, kMany));
  std::vector<int> reversed = range(0, kMany);
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(backwards(start), reversed);
}

TEST_F(AppendLogTest, reads_from_every_position_around_the_boundaries_of_chunks) {
  std::vector<Log::Position> positions;
  constexpr int kSome = 300;
  for (int number = 0; number < kSome; ++number) {
    positions.push_back(log.position());
    push(number);
  }
  for (int number = 0; number < kSome; ++number) {
    ASSERT_EQ(forwards(positions[number]), range(number, kSome));
    ASSERT_EQ(backwards(positions[number]).size(), static_cast<std::size_t>(kSome - number));
    ASSERT_FALSE(log.empty_since(positions[number]));
  }
}

TEST_F(AppendLogTest, pops_to_the_same_positions_that_it_was_pushed_from) {
  std::vector<Log::Position> positions;
  for (int number = 0; number < kMany; ++number) {
    positions.push_back(log.position());
    push(number);
  }
  for (int number = kMany; number-- > 0;) {
    ASSERT_EQ(log.last_since(positions[0])->number.get(), number);
    log.pop();
    ASSERT_EQ(log.position(), positions[number]);
    ASSERT_TRUE(log.empty_since(positions[number]));
    ASSERT_EQ(log.last_since(positions[number]), nullptr);
  }
  EXPECT_TRUE(log.empty());
}

TEST_F(AppendLogTest, entries_never_move) {
  push(7);
  const Entry* first = log.last_since({});
  push_range(0, kMany);
  EXPECT_EQ(first->number.get(), 7);
}

TEST_F(AppendLogTest, an_observer_sees_the_entries_from_its_position_until_it_has_enough) {
  push_range(0, 40);
  const Log::Position start = log.position();
  push_range(40, kMany);
  std::vector<int> seen;
  log.observe(start, [&](const Entry& entry) {
    seen.push_back(entry.number.get());
    return seen.size() < 1000;
  });
  EXPECT_EQ(seen, range(40, 1040));
}

TEST_F(AppendLogTest, a_position_that_is_half_of_one_and_half_of_another_shows_nothing) {
  const Log::Position first = log.position();
  push_range(0, kMany);
  const Log::Position last = log.position();
  int seen = 0;
  const auto count = [&](const Entry&) { return ++seen > 0; };
  log.observe({first.chunk, last.entry}, count);
  log.observe({last.chunk, first.entry}, count);
  log.observe({}, count);
  EXPECT_EQ(seen, 0);
}

// As an attempt does that needs so many entries.
class AttemptsOfLogsTest : public AppendLogTest {
 protected:
  void run(int entries) {
    const Log::Position start = log.position();
    push_range(0, entries);
    EXPECT_EQ(forwards(start), range(0, entries));
    log.drain(start, [](const Entry&) {});
    log.trim();
  }
};

TEST_F(AttemptsOfLogsTest, what_an_attempt_needed_is_kept_for_the_next_one) {
  run(kMany);
  const int chunks = log.chunks();
  for (int round = 0; round < 3; ++round) run(kMany);
  EXPECT_EQ(log.chunks(), chunks);
}

TEST_F(AttemptsOfLogsTest, what_later_ones_do_not_need_is_given_back_by_degrees) {
  run(kMany);
  const int chunks = log.chunks();
  run(1);
  const int after_one = log.chunks();
  EXPECT_LT(after_one, chunks);
  for (int round = 0; round < chunks; ++round) run(1);
  const int kept = log.chunks();
  EXPECT_GT(kept, 1);
  EXPECT_LT(kept, after_one);
  run(kMany);
  EXPECT_EQ(log.chunks(), chunks);
}

TEST_F(AttemptsOfLogsTest, what_an_attempt_within_another_one_does_not_need_is_kept) {
  run(kMany);
  const int chunks = log.chunks();
  push(0);
  for (int round = 0; round < chunks; ++round) run(1);
  EXPECT_EQ(log.chunks(), chunks);
  EXPECT_EQ(forwards(log.start()), range(0, 1));
}

TEST_F(AttemptsOfLogsTest, room_that_was_made_and_not_used_is_given_back) {
  run(kMany);
  const int chunks = log.chunks();
  const Log::Position start = log.position();
  for (log.reserve(); log.chunks() == chunks; log.reserve()) log.push(0);
  log.drain(start, [](const Entry&) {});
  for (int round = 0; round < 2 * chunks; ++round) log.trim();
  EXPECT_LT(log.chunks(), chunks);
  run(kMany);
}

// What a finaliser's attempt does while the entries of the one before are taken away.
TEST_F(AppendLogTest, is_used_by_who_is_given_what_is_taken_away) {
  const Log::Position start = log.position();
  push_range(0, kMany);
  std::vector<int> taken;
  log.drain(start, [&](const Entry& entry) {
    const int number = entry.number.get();
    taken.push_back(number);
    const Log::Position inner = log.position();
    push_range(0, 100);
    EXPECT_EQ(forwards(inner), range(0, 100));
    log.drain(inner, [](const Entry&) {});
  });
  std::reverse(taken.begin(), taken.end());
  EXPECT_EQ(taken, range(0, kMany));
  EXPECT_TRUE(log.empty());
}

TEST_F(AppendLogTest, does_not_show_a_visitor_what_it_pushes) {
  const Log::Position start = log.position();
  push_range(0, 40);
  std::vector<int> seen;
  log.forwards(start, [&](const Entry& entry) {
    seen.push_back(entry.number.get());
    push(-1);
  });
  EXPECT_EQ(seen, range(0, 40));
}

}  // namespace
}  // namespace stmpy::core::test
