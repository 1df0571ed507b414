#include "runtime/python/introspection.h"

#include <algorithm>
#include <vector>

#include "runtime/core/outside.h"
#include "runtime/python/collections/collection.h"
#include "runtime/python/guarded.h"
#include "runtime/python/transaction_view.h"

namespace stmpy {
namespace {

PyObject* in_transaction(PyObject*, PyObject*) {
  const Thread* thread = this_thread_if_any();
  return PyBool_FromLong(thread && thread->in_transaction());
}

PyObject* current_transaction(PyObject*, PyObject*) {
  const Thread* thread = this_thread_if_any();
  if (!thread || !thread->in_transaction()) Py_RETURN_NONE;
  return make_transaction_view(*identity_of(thread->descriptor.current())).release();
}

const char* name_of(core::Mode mode) {
  switch (mode) {
    case core::Mode::None:
      break;
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
    case core::Mode::Private:
      return "private";
  }
  return "none";
}

// Appends a tuple of these, which it takes over. False with an exception, also where one of them is missing.
template <class... Item>
bool append(const Ref& list, Item... items) {
  if (!(items && ...)) return false;
  const Ref tuple = Ref::steal(PyTuple_Pack(Py_ssize_t{sizeof...(items)}, items.get()...));
  return tuple && PyList_Append(list.get(), tuple.get()) == 0;
}

// A transaction and what it holds, kept while code may run.
struct InProgress {
  Identity identity;
  struct Pair {
    Ref object;
    const core::Record* record;
    core::Mode mode;
  };
  std::vector<Pair> pairs;
};

std::vector<InProgress> look_at_all(Thread& thread) {
  std::vector<InProgress> all;
  const core::Observer observer(thread.descriptor);
  for (const core::Seen& seen : core::transactions_in_progress(observer)) {
    std::optional<Identity> identity = identity_of(seen.attempt);
    if (!identity) continue;
    InProgress& shown = all.emplace_back(InProgress{std::move(*identity), {}});
    for (const core::Seen::Pair& pair : seen.pairs)
      shown.pairs.push_back({Ref::borrow(static_cast<PyObject*>(pair.object)), pair.record, pair.mode});
  }
  return all;
}

// A list of (transaction, [(object, attribute, mode)]), each transaction as of one instant.
PyObject* transactions_in_progress(PyObject*, PyObject*) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  const std::vector<InProgress> all = look_at_all(*thread);
  core::Observer::empty_limbo();
  Ref result = Ref::steal(PyList_New(0));
  if (!result) return nullptr;
  for (const InProgress& shown : all) {
    Ref pairs = Ref::steal(PyList_New(0));
    if (!pairs) return nullptr;
    for (const InProgress::Pair& pair : shown.pairs) {
      if (!append(pairs, Ref::borrow(pair.object.get()), attribute_of(pair.object.get(), pair.record),
                  Ref::steal(PyUnicode_FromString(name_of(pair.mode)))))
        return nullptr;
    }
    if (!append(result, make_transaction_view(shown.identity), std::move(pairs))) return nullptr;
  }
  return result.release();
}

// Whether the entry says what a program has changed. Otherwise it is the runtime's own affair: what the
// attempt keeps beside its log, how an object keeps its attributes' order.
bool is_shown(const Thread& thread, const core::LogEntry& entry) {
  if (entry.flags.get() & (core::LogEntry::kVoid | core::LogEntry::kUndone)) return false;
  if (thread.companions && entry.record.get() == &thread.companions->record) return false;
  auto* object = static_cast<PyObject*>(entry.object.get());
  core::Slot* slot = entry.slot.get();
  return !slot ||
         (entry.record.get() != &shell_of(object)->structure && !is_inner_of_collection(object, slot));
}

// A change, kept while code may run.
struct Changed {
  Ref object;
  const core::Record* record;
  bool is_class;
  Ref old_value;  // null: the attribute did not exist
};

std::vector<Changed> changes_of(Thread& thread) {
  std::vector<Changed> changes;
  core::Descriptor& self = thread.descriptor;
  self.log.forwards(self.first_entry.get(), [&](core::LogEntry& entry) {
    if (!is_shown(thread, entry)) return;
    auto* object = static_cast<PyObject*>(entry.object.get());
    const core::Record* record = entry.record.get();
    const bool is_class = entry.change.get() && record == &shell_of(object)->structure;
    changes.push_back(
        {Ref::borrow(object), record, is_class, Ref::borrow(static_cast<PyObject*>(entry.old_value.get()))});
  });
  return changes;
}

// (object, attribute, old value) in the order of writing; `missing` for an attribute that did not exist.
PyObject* revert_log(PyObject*, PyObject* missing) {
  Thread* thread = this_thread_if_any();
  std::vector<Changed> changes;
  if (thread && thread->in_transaction()) changes = changes_of(*thread);
  Ref result = Ref::steal(PyList_New(0));
  if (!result) return nullptr;
  for (const Changed& change : changes) {
    PyObject* object = change.object.get();
    if (!append(result, Ref::borrow(object),
                change.is_class ? Ref::borrow(names::class_) : attribute_of(object, change.record),
                Ref::borrow(change.old_value ? change.old_value.get() : missing)))
      return nullptr;
  }
  return result.release();
}

PyObject* statistics(PyObject*, PyObject*) {
  using core::Counter, core::Peak;
  const core::Totals totals = core::statistics();
  const auto count = [&](Counter counter) { return static_cast<unsigned long long>(totals[counter]); };
  const auto seconds = [](std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; };
  // Noted from a call's second attempt on.
  const auto most_attempts = static_cast<unsigned long long>(
      std::max(totals[Peak::Attempts], std::min<std::uint64_t>(totals[Counter::Begun], 1)));
  return Py_BuildValue("{sK,sK,sK,sK,sK,sK,sK,sK,sd,sd,sK,sK,sK,sK,sK}",               //
                       "begun", count(Counter::Begun),                                 //
                       "committed", count(Counter::Committed),                         //
                       "attempts", count(Counter::Attempts),                           //
                       "aborted_by_conflict", count(Counter::AbortedByConflict),       //
                       "aborted_by_exception", count(Counter::AbortedByException),     //
                       "nested_reverts", count(Counter::NestedReverts),                //
                       "retries", count(Counter::Retries),                             //
                       "waits", count(Counter::Waits),                                 //
                       "seconds_waited", seconds(totals[Counter::NanosecondsWaited]),  //
                       "longest_wait", seconds(totals[Peak::NanosecondsWaited]),       //
                       "most_attempts", most_attempts,                                 //
                       "aborted_by_senior", count(Counter::AbortedBySenior),           //
                       "failed_upgrades", count(Counter::FailedUpgrades),              //
                       "timeouts", count(Counter::Timeouts),                           //
                       "irrevocable", count(Counter::Irrevocable));
}

PyObject* reset_stats(PyObject*, PyObject*) {
  core::reset_statistics();
  Py_RETURN_NONE;
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

PyMethodDef introspection_methods[] = {
    {"in_transaction", in_transaction, METH_NOARGS,
     "in_transaction()\n\nTrue while this thread runs a transaction."},
    {"current_transaction", current_transaction, METH_NOARGS,
     "current_transaction()\n\nThe Transaction this thread runs, or None."},
    {"reset_stats", reset_stats, METH_NOARGS,
     "reset_stats()\n\nStarts all counters of stats() at zero again."},
    {"transactions_in_progress", guarded<transactions_in_progress>, METH_NOARGS, nullptr},
    {"revert_log", guarded<revert_log>, METH_O, nullptr},
    {"statistics", statistics, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
