#include "runtime/python/collections/committed_view.h"

#include <algorithm>

namespace stmpy {

CommittedView::Seen CommittedView::look_at(const core::Record& record) {
  const core::Record::View view = record.view();
  return {&record, view, view.writer ? view.writer->status.load() : 0};
}

PyObject* CommittedView::read(const Cell& cell) {
  seen_.push_back(look_at(cell.record));
  auto* const value = static_cast<PyObject*>(core::committed_value(observer_, cell.record, cell.value));
  return Py_XNewRef(value);
}

PyObject* CommittedView::read_also(const core::Slot& slot) {
  auto* const value = static_cast<PyObject*>(core::committed_value(observer_, *seen_.back().record, slot));
  return Py_XNewRef(value);
}

bool CommittedView::still_so() const {
  // A value whose writer had no attempt (write_if_free) was read behind its release: another version.
  return std::all_of(seen_.begin(), seen_.end(),
                     [](const Seen& seen) { return look_at(*seen.record) == seen; });
}

}  // namespace stmpy
