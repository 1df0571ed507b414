#include "runtime/python/order.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

#include "runtime/python/barriers.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

std::size_t layout_size(Shell* shell) { return shell->payload->layout->names.size(); }

// The index of a cell of the layout, or the layout's size for a loose one.
std::size_t index_of(Shell* shell, const Cell& cell) {
  const Cell* cells = shell->payload->cells;
  const std::size_t count = layout_size(shell);
  return &cell >= cells && &cell < cells + count ? static_cast<std::size_t>(&cell - cells) : count;
}

// The order of the layout says where it belongs: it is of the layout, and nothing that is there now belongs
// before it.
bool needs_no_serial(Shell* shell, std::size_t index) {
  const std::size_t count = layout_size(shell);
  if (index == count) return false;
  const Extra* extra = shell->extra.load(std::memory_order_acquire);
  if (extra && extra->serials_given.load(std::memory_order_relaxed) != 0) return false;
  for (std::size_t behind = index + 1; behind < count; ++behind) {
    if (shell->payload->cells[behind].peek()) return false;
  }
  return true;
}

// Null with MemoryError.
core::Slot* serials_of(Extra* extra, std::size_t count) {
  core::Slot* serials = extra->serials.load(std::memory_order_acquire);
  if (serials) return serials;
  std::unique_ptr<core::Slot[]> made(new (std::nothrow) core::Slot[count]{});
  if (!made) {
    PyErr_NoMemory();
    return nullptr;
  }
  return extra->serials.compare_exchange_strong(serials, made.get(), std::memory_order_acq_rel)
             ? made.release()
             : serials;
}

}  // namespace

bool append_to_order(Thread& thread, PyObject* object, Cell& coming) {
  Shell* shell = shell_of(object);
  const std::size_t index = index_of(shell, coming);
  if (needs_no_serial(shell, index)) return true;
  Extra* extra = extra_of(shell);
  if (!extra) return false;
  core::Slot* slot;
  if (index == layout_size(shell)) {
    slot =
        &reinterpret_cast<LooseCell*>(reinterpret_cast<char*>(&coming) - offsetof(LooseCell, cell))->serial;
  } else {
    core::Slot* serials = serials_of(extra, layout_size(shell));
    if (!serials) return false;
    slot = &serials[index];
  }
  if (!reserve_entry(thread)) return false;
  Ref serial = Ref::steal(
      PyLong_FromUnsignedLongLong(extra->serials_given.fetch_add(1, std::memory_order_relaxed) + 1));
  if (!serial) return false;
  core::log_slot(thread.descriptor, shell->structure, object, *slot, slot->load(std::memory_order_relaxed),
                 false);
  slot->store(serial.release(), core::kRelease);
  return true;
}

bool cells_in_order(Thread& thread, PyObject* object, std::vector<NamedCell>& cells) {
  Shell* shell = shell_of(object);
  if (!all_cells(shell, cells)) return false;
  const Extra* extra = shell->extra.load(std::memory_order_acquire);
  if (!extra || extra->serials_given.load(std::memory_order_relaxed) == 0) return true;
  std::vector<std::pair<unsigned long long, std::size_t>> order;
  for (std::size_t index = 0; index < cells.size(); ++index) {
    Ref serial;
    if (core::Slot* slot = cells[index].serial) {
      serial = thread.in_transaction() && !is_unrecorded(thread)
                   ? Ref::borrow(static_cast<PyObject*>(slot->load(std::memory_order_relaxed)))
                   : Ref::steal(peek_unrecorded(thread, shell->structure, *slot));
    }
    order.emplace_back(serial ? PyLong_AsUnsignedLongLong(serial.get()) : 0, index);
  }
  std::sort(order.begin(), order.end());
  std::vector<NamedCell> sorted;
  sorted.reserve(cells.size());
  for (const auto& [serial, index] : order) sorted.push_back(std::move(cells[index]));
  cells = std::move(sorted);
  return true;
}

}  // namespace stmpy
