// A set of ownership records, by their addresses. Empty it is a few words, and makes no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace stmpy::core {

class Record;

class RecordSet {
 public:
  RecordSet() = default;
  RecordSet(RecordSet&& other) noexcept { *this = std::move(other); }
  RecordSet& operator=(RecordSet&& other) noexcept {
    places_ = std::move(other.places_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  bool contains(const Record& record) const { return size_ != 0 && *place_of(&record) == &record; }
  // std::bad_alloc with nothing changed.
  void insert(const Record& record);
  void clear() {
    if (size_ != 0) clear_places();
  }

 private:
  // Where it is, or the free place it would take. There is one: a quarter of all are free.
  const Record** place_of(const Record* record) const;
  void grow();
  void clear_places();

  std::unique_ptr<const Record*[]> places_;  // open addressing; null is free
  std::size_t capacity_ = 0;                 // a power of two, or 0
  std::size_t size_ = 0;
};

}  // namespace stmpy::core
