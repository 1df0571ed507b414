// Cells by number, in segments that never move, so that who grows the array disturbs nobody. A cell lives as
// long as the array: one that is not in use has no value, and can be read, registered and waited for as all.
//
// Segment k holds 8 << k cells. Any thread may make one.
#pragma once

#include <bit>

#include "runtime/python/layout.h"

namespace stmpy {

class CellArray {
 public:
  // Null: it was never made.
  Cell* find(std::size_t index) const {
    if (index < kFirst) {
      Cell* const cells = first_.load(std::memory_order_acquire);
      return cells ? cells + index : nullptr;
    }
    return find_in_rest(index);
  }
  // Null with MemoryError.
  Cell* make(std::size_t index) {
    Cell* const cell = find(index);
    return cell ? cell : make_segment(index);
  }
  // Which one the record is of. False: none of them.
  bool index_of(const core::Record* record, std::size_t& index) const;
  // Until `visit` returns something other than 0.
  template <class Visit>
  int for_each(Visit visit) const {
    for (int segment = 0; segment < kSegments; ++segment) {
      Cell* const cells = segment_at(segment);
      for (std::size_t index = 0; cells && index < size_of(segment); ++index) {
        if (const int stop = visit(cells[index])) return stop;
      }
    }
    return 0;
  }
  // Takes all values out; any code may run.
  void clear();
  // The memory, in bytes; and giving it back, once nobody knows the array.
  std::size_t memory() const;
  void free();

 private:
  static constexpr std::size_t kFirst = 8;
  static constexpr int kSegments = 40;
  using Segment = std::atomic<Cell*>;

  static std::size_t size_of(int segment) { return kFirst << segment; }
  static std::size_t start_of(int segment) { return (kFirst << segment) - kFirst; }
  static int segment_of(std::size_t index) { return std::bit_width(index + kFirst) - std::bit_width(kFirst); }
  Cell* segment_at(int segment) const {
    if (segment == 0) return first_.load(std::memory_order_acquire);
    const Segment* const rest = rest_.load(std::memory_order_acquire);
    return rest ? rest[segment].load(std::memory_order_acquire) : nullptr;
  }
  Cell* find_in_rest(std::size_t index) const;
  Cell* make_segment(std::size_t index);

  Segment first_{nullptr};
  std::atomic<Segment*> rest_{nullptr};  // kSegments of them, made with the second segment
};

}  // namespace stmpy
