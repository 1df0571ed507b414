// What a call remembers of records, in time that does not grow with how many there are.
#include "runtime/core/record_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "runtime/core/ownership.h"

namespace stmpy::core::test {
namespace {

TEST(RecordSetTest, an_empty_one_contains_nothing) {
  RecordSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(Record{}));
  set.clear();
  EXPECT_TRUE(set.empty());
}

TEST(RecordSetTest, it_agrees_with_a_set_of_pointers) {
  constexpr std::size_t kRecords = 2000;
  const auto records = std::make_unique<Record[]>(kRecords);
  std::mt19937 random{7};
  RecordSet set;
  std::set<const Record*> expected;
  for (const std::size_t most : {3u, 12u, 13u, 192u, 200u, 1999u, 5u}) {
    std::uniform_int_distribution<std::size_t> index(0, most);
    for (std::size_t turn = 0; turn < 2 * most; ++turn) {
      const Record& record = records[index(random)];
      set.insert(record);
      expected.insert(&record);
      ASSERT_EQ(set.size(), expected.size());
    }
    for (std::size_t each = 0; each < kRecords; ++each)
      ASSERT_EQ(set.contains(records[each]), expected.count(&records[each]) == 1);
    set.clear();
    expected.clear();
    ASSERT_TRUE(set.empty());
    ASSERT_FALSE(std::any_of(&records[0], &records[0] + kRecords,
                             [&](const Record& record) { return set.contains(record); }));
  }
}

TEST(RecordSetTest, moved_from_it_is_empty_and_of_use) {
  const auto records = std::make_unique<Record[]>(100);
  RecordSet set;
  for (int index = 0; index < 50; ++index) set.insert(records[index]);
  RecordSet other = std::move(set);
  EXPECT_EQ(other.size(), 50u);
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.contains(records[1]));
  set.insert(records[99]);
  EXPECT_TRUE(set.contains(records[99]));
  EXPECT_FALSE(other.contains(records[99]));
  set = std::move(other);
  EXPECT_TRUE(set.contains(records[1]));
  EXPECT_FALSE(set.contains(records[99]));
}

}  // namespace
}  // namespace stmpy::core::test
