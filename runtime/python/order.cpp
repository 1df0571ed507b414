#include "runtime/python/order.h"

#include <algorithm>
#include <new>

#include "runtime/python/barriers.h"

namespace stmpy {
namespace {

// No cell behind `coming` has a value.
bool comes_last(Shell* shell, const Cell& coming) {
  const Layout* layout = shell->payload->layout;
  const Cell* cells = shell->payload->cells;
  const std::size_t count = layout->names.size();
  const bool in_layout = &coming >= cells && &coming < cells + count;
  for (std::size_t index = in_layout ? static_cast<std::size_t>(&coming - cells) + 1 : count; index < count; ++index) {
    if (cells[index].peek()) return false;
  }
  Extra* extra = shell->extra.load(std::memory_order_acquire);
  if (!extra) return true;
  bool found = in_layout;
  PyObject *name, *loose;
  for (Py_ssize_t position = 0; PyDict_Next(extra->loose, &position, &name, &loose);) {
    const Cell* cell = &reinterpret_cast<LooseCell*>(loose)->cell;
    if (cell == &coming) {
      found = true;
    } else if (found && cell->peek()) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool append_to_order(Thread& thread, PyObject* object, PyObject* name, const Cell& coming) {
  Shell* shell = shell_of(object);
  Extra* extra = shell->extra.load(std::memory_order_acquire);
  const bool ordered = extra && extra->order.load(std::memory_order_relaxed);
  if (!ordered && comes_last(shell, coming)) return true;
  extra = extra_of(shell);
  std::vector<Ref> names;
  if (!extra || !names_in_order(thread, object, names)) return false;
  try {
    core::reserve_entry(thread.descriptor);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  std::erase_if(names, [&](const Ref& known) {
    const Cell* cell = find_cell(shell, known.get());
    return known.get() == name || !cell || !cell->peek();
  });
  Ref order = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(names.size()) + 1));
  if (!order) return false;
  for (std::size_t index = 0; index < names.size(); ++index) {
    PyTuple_SET_ITEM(order.get(), static_cast<Py_ssize_t>(index), names[index].release());
  }
  PyTuple_SET_ITEM(order.get(), static_cast<Py_ssize_t>(names.size()), Py_NewRef(name));
  core::log_slot(thread.descriptor, shell->structure, object, extra->order,
                 extra->order.load(std::memory_order_relaxed), false);
  extra->order.store(order.release(), core::kRelease);
  return true;
}

bool names_in_order(Thread& thread, PyObject* object, std::vector<Ref>& names) {
  Shell* shell = shell_of(object);
  std::vector<Ref> known;
  if (!names_with_cells(shell, known)) return false;
  Ref order;
  if (Extra* extra = shell->extra.load(std::memory_order_acquire)) {
    order = thread.in_transaction()
                ? Ref::borrow(static_cast<PyObject*>(extra->order.load(std::memory_order_relaxed)))
                : Ref::steal(read_committed(thread, shell->structure, extra->order));
  }
  if (order) {
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(order.get()); ++index) {
      names.push_back(Ref::borrow(PyTuple_GET_ITEM(order.get(), index)));
    }
  }
  // A cell that the order does not name has no value, but for what was there before an order was kept.
  for (Ref& name : known) {
    const bool named = std::any_of(names.begin(), names.end(), [&](const Ref& other) { return other.get() == name.get(); });
    if (!named) names.push_back(std::move(name));
  }
  return true;
}

}  // namespace stmpy
