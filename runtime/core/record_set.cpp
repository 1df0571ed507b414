#include "runtime/core/record_set.h"

#include <algorithm>
#include <bit>

namespace stmpy::core {
namespace {

constexpr std::size_t kFirstCapacity = 16;
// A larger table is given back when it is emptied: to wipe it would cost the next small set what this one
// cost.
constexpr std::size_t kKept = 256;

}  // namespace

void RecordSet::insert(const Record& record) {
  if (contains(record)) return;
  if (size_ + 1 > capacity_ / 4 * 3) grow();
  *place_of(&record) = &record;
  ++size_;
}

const Record** RecordSet::place_of(const Record* record) const {
  // Fibonacci hashing: records stand at regular distances, which the product's upper bits do not show.
  const std::uint64_t product = reinterpret_cast<std::uintptr_t>(record) * 0x9E3779B97F4A7C15u;
  std::size_t index = product >> (64 - std::countr_zero(capacity_));
  while (places_[index] && places_[index] != record) index = (index + 1) & (capacity_ - 1);
  return &places_[index];
}

void RecordSet::grow() {
  RecordSet larger;
  larger.capacity_ = std::max(kFirstCapacity, 2 * capacity_);
  larger.places_ = std::make_unique<const Record*[]>(larger.capacity_);
  for (std::size_t index = 0; index < capacity_; ++index) {
    if (places_[index]) *larger.place_of(places_[index]) = places_[index];
  }
  larger.size_ = size_;
  *this = std::move(larger);
}

void RecordSet::clear_places() {
  if (capacity_ > kKept) {
    places_.reset();
    capacity_ = 0;
  } else {
    std::fill_n(places_.get(), capacity_, nullptr);
  }
  size_ = 0;
}

}  // namespace stmpy::core
