#include "runtime/python/collections/cell_array.h"

#include <new>

namespace stmpy {
namespace {

// Of two that make the same thing one is kept. Null with MemoryError.
template <class T>
T* make_once(std::atomic<T*>& place, std::size_t count) {
  T* known = place.load(std::memory_order_acquire);
  if (known) return known;
  T* const made = new (std::nothrow) T[count];
  if (!made) {
    PyErr_NoMemory();
    return nullptr;
  }
  if (place.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return made;
  delete[] made;
  return known;
}

}  // namespace

Cell* CellArray::find_in_rest(std::size_t index) const {
  const int segment = segment_of(index);
  Cell* const cells = segment < kSegments ? segment_at(segment) : nullptr;
  return cells ? cells + (index - start_of(segment)) : nullptr;
}

Cell* CellArray::make_segment(std::size_t index) {
  const int segment = segment_of(index);
  if (segment >= kSegments) {
    PyErr_NoMemory();
    return nullptr;
  }
  Segment* const rest = segment == 0 ? nullptr : make_once(rest_, kSegments);
  if (segment != 0 && !rest) return nullptr;
  Cell* const cells = make_once(segment == 0 ? first_ : rest[segment], size_of(segment));
  return cells ? cells + (index - start_of(segment)) : nullptr;
}

bool CellArray::index_of(const core::Record* record, std::size_t& index) const {
  for (int segment = 0; segment < kSegments; ++segment) {
    const Cell* const cells = segment_at(segment);
    if (!cells || record < &cells[0].record || record > &cells[size_of(segment) - 1].record) continue;
    const auto bytes =
        reinterpret_cast<const char*>(record) - reinterpret_cast<const char*>(&cells[0].record);
    index = start_of(segment) + static_cast<std::size_t>(bytes) / sizeof(Cell);
    return true;
  }
  return false;
}

void CellArray::clear() {
  for_each([](Cell& cell) {
    Py_XDECREF(static_cast<PyObject*>(cell.value.exchange(nullptr)));
    return 0;
  });
}

std::size_t CellArray::memory() const {
  std::size_t bytes = rest_.load(std::memory_order_acquire) ? kSegments * sizeof(Segment) : 0;
  for (int segment = 0; segment < kSegments; ++segment) {
    if (segment_at(segment)) bytes += size_of(segment) * sizeof(Cell);
  }
  return bytes;
}

void CellArray::free() {
  for (int segment = 0; segment < kSegments; ++segment) delete[] segment_at(segment);
  delete[] rest_.exchange(nullptr);
  first_.store(nullptr);
}

}  // namespace stmpy
