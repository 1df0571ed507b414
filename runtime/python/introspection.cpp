#include "runtime/python/introspection.h"

#include <string>

#include "runtime/core/outside.h"
#include "runtime/python/collections/collection.h"

namespace py = pybind11;

namespace stmpy {
namespace {

// One attempt as a program sees it; says "ended" when it is over.
struct TransactionView {
  core::Attempt attempt;
  std::uint64_t id;
  std::uint64_t number;
  py::object name;

  std::string state() const {
    const core::Status now = attempt.descriptor->state();
    if (now.generation() != attempt.generation) return "ended";
    switch (now.state()) {
      case core::State::Idle:
        return "ended";
      case core::State::Active:
        return "active";
      case core::State::Doomed:
        return "doomed";
      case core::State::Irrevocable:
        return "irrevocable";
      case core::State::Committed:
        return "committed";
    }
    return "ended";
  }
};

Thread& current() {
  Thread* thread = this_thread();
  if (!thread) throw py::error_already_set();
  return *thread;
}

TransactionView view_of(const Thread& thread, const core::Attempt& attempt) {
  // Interned, and named by an atomic function that is being called.
  PyObject* name = thread.name.get();
  return {attempt, thread.call.get(), thread.attempt.get(),
          name ? py::reinterpret_borrow<py::object>(name) : py::none()};
}

py::object current_transaction() {
  const Thread& thread = current();
  if (!thread.in_transaction()) return py::none();
  return py::cast(view_of(thread, thread.descriptor.current()));
}

const char* name_of(core::Mode mode) {
  switch (mode) {
    case core::Mode::None:
      return "none";
    case core::Mode::Read:
      return "read";
    case core::Mode::Update:
      return "update";
    case core::Mode::Add:
      return "add";
    case core::Mode::Write:
      return "write";
    case core::Mode::Exclusive:
      return "exclusive";
  }
  return "none";
}

py::object shown_attribute(PyObject* object, const core::Record* record) {
  Ref attribute = attribute_of(object, record);
  if (!attribute) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(attribute.release());
}

// A list of (transaction, [(object, attribute, mode)]), each transaction as of one instant.
py::list transactions_in_progress() {
  std::vector<core::Seen> all;
  std::vector<Ref> objects;
  std::vector<TransactionView> views;
  {
    const core::Observer observer(current().descriptor);
    all = core::transactions_in_progress(observer);
    // With the GIL no code runs up to the end of this block, and without it interned names are immortal.
    for (const core::Seen& seen : all) {
      for (const core::Seen::Pair& pair : seen.pairs)
        objects.push_back(Ref::borrow(static_cast<PyObject*>(pair.object)));
      const Thread* thread = thread_of(*seen.attempt.descriptor);
      views.push_back(thread ? view_of(*thread, seen.attempt)
                             : TransactionView{seen.attempt, 0, 0, py::none()});
    }
  }
  core::Observer::empty_limbo();
  py::list result;
  for (std::size_t index = 0; index < all.size(); ++index) {
    py::list pairs;
    for (const core::Seen::Pair& pair : all[index].pairs) {
      auto* object = static_cast<PyObject*>(pair.object);
      pairs.append(py::make_tuple(py::reinterpret_borrow<py::object>(object),
                                  shown_attribute(object, pair.record), name_of(pair.mode)));
    }
    result.append(py::make_tuple(views[index], pairs));
  }
  return result;
}

// (object, attribute, old value) in the order of writing; `missing` for an attribute that did not exist.
py::list revert_log(const py::object& missing) {
  Thread& thread = current();
  py::list result;
  if (!thread.in_transaction()) return result;
  thread.descriptor.log.forwards(thread.descriptor.first_entry.get(), [&](core::LogEntry& entry) {
    if (entry.flags.get() & (core::LogEntry::kVoid | core::LogEntry::kUndone)) return;
    if (thread.companions && entry.record.get() == &thread.companions->record) return;
    auto* object = static_cast<PyObject*>(entry.object.get());
    auto* old_value = static_cast<PyObject*>(entry.old_value.get());
    // How the object keeps its attributes' order is its own affair.
    if (entry.record.get() == &shell_of(object)->structure && entry.slot.get()) return;
    if (entry.slot.get() && is_inner_of_collection(object, entry.slot.get())) return;
    const bool is_class = entry.change.get() && entry.record.get() == &shell_of(object)->structure;
    py::object attribute = is_class ? py::reinterpret_borrow<py::object>(names::class_)
                                    : shown_attribute(object, entry.record.get());
    result.append(py::make_tuple(py::reinterpret_borrow<py::object>(object), attribute,
                                 old_value ? py::reinterpret_borrow<py::object>(old_value) : missing));
  });
  return result;
}

py::dict statistics() {
  using core::Counter;
  const core::Totals totals = core::statistics();
  py::dict result;
  result["begun"] = totals[Counter::Begun];
  result["committed"] = totals[Counter::Committed];
  result["attempts"] = totals[Counter::Attempts];
  result["aborted_by_conflict"] = totals[Counter::AbortedByConflict];
  result["aborted_by_exception"] = totals[Counter::AbortedByException];
  result["nested_reverts"] = totals[Counter::NestedReverts];
  result["retries"] = totals[Counter::Retries];
  result["waits"] = totals[Counter::Waits];
  result["seconds_waited"] = static_cast<double>(totals[Counter::NanosecondsWaited]) / 1e9;
  return result;
}

std::size_t count_held(const TransactionView& view, bool writing) {
  Thread& thread = current();
  if (view.attempt != thread.descriptor.current() || !thread.in_transaction()) return 0;
  std::size_t count = 0;
  thread.descriptor.accesses.forwards(thread.descriptor.first_access.get(), [&](core::Access& access) {
    count += core::is_write(access.record.get()->held_by(thread.descriptor)) == writing;
  });
  return count;
}

}  // namespace

Ref attribute_of(PyObject* object, const core::Record* record) {
  if (Ref name = name_in_collection(object, record)) return name;
  if (PyErr_Occurred()) return Ref();
  Shell* shell = shell_of(object);
  const Layout& layout = *shell->payload->layout;
  for (std::size_t index = 0; index < layout.names.size(); ++index) {
    if (&shell->payload->cells[index].record == record) return Ref::borrow(layout.names[index].get());
  }
  std::vector<NamedCell> cells;
  if (!all_cells(shell, cells)) return Ref();
  for (const NamedCell& named : cells) {
    if (&named.cell->record == record) return Ref::borrow(named.name.get());
  }
  return Ref::borrow(names::dict);
}

void add_introspection(py::module_& module) {
  py::class_<TransactionView>(module, "Transaction",
                              "A transaction: one attempt of a call of an atomic function.")
      .def_readonly("id", &TransactionView::id, "A number that all attempts of one call share.")
      .def_readonly("attempt", &TransactionView::number, "Which attempt of the call this is, from 1.")
      .def_readonly("name", &TransactionView::name, "The qualified name of the function, or @atomic's name=.")
      .def_property_readonly("state", &TransactionView::state,
                             "\"active\", \"doomed\", \"irrevocable\", \"committed\" or \"ended\".")
      .def_property_readonly(
          "reads", [](const TransactionView& view) { return count_held(view, false); },
          "How many attributes it has read and not written; 0 seen from another thread.")
      .def_property_readonly(
          "writes", [](const TransactionView& view) { return count_held(view, true); },
          "How many attributes it has written; 0 seen from another thread.")
      .def("__eq__",
           [](const TransactionView& a, const py::object& b) {
             return py::isinstance<TransactionView>(b) &&
                    a.attempt == b.cast<const TransactionView&>().attempt;
           })
      .def("__hash__", [](const TransactionView& view) { return view.id * 31 + view.number; })
      .def("__repr__", [](const TransactionView& view) {
        return py::str("<Transaction {} of {}, attempt {}, {}>")
            .format(view.id, view.name, view.number, view.state());
      });
  module.def(
      "in_transaction",
      [] {
        const Thread* thread = this_thread_if_any();
        return thread && thread->in_transaction();
      },
      "True while this thread runs a transaction.");
  module.def("current_transaction", current_transaction, "The Transaction this thread runs, or None.");
  module.def("transactions_in_progress", transactions_in_progress);
  module.def("revert_log", revert_log);
  module.def("statistics", statistics);
  module.def("reset_stats", core::reset_statistics, "Starts all counters of stats() at zero again.");
}

}  // namespace stmpy
