#include "runtime/python/barriers.h"

#include <new>

#include "runtime/core/outside.h"
#include "runtime/core/watch.h"
#include "runtime/python/errors.h"
#include "runtime/python/guarded.h"
#include "runtime/python/order.h"
#include "runtime/python/payload.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
using core::Mode;
using core::Outcome;

void raise_no_memory() {
  if (Thread* thread = this_thread_if_any()) core::drop_claim(thread->descriptor);
  PyErr_NoMemory();
}

Done request(Thread& thread, PyObject* object, core::Record& record, Mode mode, Outcome& outcome) {
  core::Descriptor& self = thread.descriptor;
  if (is_unrecorded(thread)) {
    raise_unrecorded("this cannot be done");
    return Done::Failed;
  }
  try {
    if (!is_unwinding(thread)) {
      outcome = core::access(self, record, object, mode);
    } else {
      outcome =
          must_abort(thread) ? Outcome::Aborted : core::access_while_unwinding(self, record, object, mode);
    }
  } catch (const std::bad_alloc&) {
    raise_no_memory();
    return Done::Failed;
  }
  // Between a wait and the next request the caller may find that it wants something else, while the claim
  // stays.
  if (thread.claimed_object || self.claimed)
    thread.claimed_object = self.claimed ? Ref::borrow(object) : Ref();
  switch (outcome) {
    case Outcome::Registered:
      Py_INCREF(object);
      return Done::Yes;
    case Outcome::Held:
    case Outcome::Raised:
    case Outcome::RegisteredAgain:
      return Done::Yes;
    case Outcome::Again:
      return Done::Again;
    case Outcome::Aborted:
      return raise_abort(thread);
    case Outcome::Interrupted:
      return Done::Failed;
    case Outcome::TimedOut:
      thread.timed_out = true;
      core::doom(self);
      return raise_abort(thread);
  }
  return Done::Failed;
}

namespace {

// Owns the pair for writing, with room in the log.
Done request_write(Thread& thread, PyObject* object, core::Record& record, Mode mode, Ownership& ownership) {
  core::Descriptor& self = thread.descriptor;
  try {
    core::reserve_entry(self);
  } catch (const std::bad_alloc&) {
    raise_no_memory();
    return Done::Failed;
  }
  Outcome outcome;
  const Done done = request(thread, object, record, mode, outcome);
  if (done != Done::Yes) return done;
  ownership.first = outcome != Outcome::Held;
  ownership.log = ownership.first || core::must_log_again(self, record);
  if (ownership.first && self.depth > 0)
    core::must_log_again(self, record);  // remembers it for this savepoint
  return Done::Yes;
}

Done own_cell_as(Thread& thread, PyObject* object, Cell& cell, Mode mode) {
  Ownership ownership;
  const Done done = request_write(thread, object, cell.record, mode, ownership);
  if (done == Done::Yes && ownership.log) log_cell(thread, object, cell, Py_XNewRef(cell.peek()), ownership);
  return done;
}

}  // namespace

PyObject* read_committed(Thread& thread, const core::Record& record, const core::Slot& slot) {
  const std::uint64_t bits = record.bits();
  constexpr std::uint64_t written = core::Record::kFat | static_cast<std::uint64_t>(Mode::Write)
                                                             << core::Record::kModeShift;
  if constexpr (core::kSerialized) {
    if (!(bits & written)) return static_cast<PyObject*>(Py_XNewRef(slot.load(std::memory_order_relaxed)));
  }
  PyObject* value;
  {
    const core::Observer observer(thread.descriptor);
    value = static_cast<PyObject*>(core::committed_value(observer, record, slot));
    Py_XINCREF(value);
  }
  core::Observer::empty_limbo();
  return value;
}

PyObject* peek_unrecorded(Thread& thread, const core::Record& record, const core::Slot& slot) {
  const bool is_held = thread.in_transaction() && record.held_by(thread.descriptor) != Mode::None;
  return is_held ? static_cast<PyObject*>(Py_XNewRef(slot.load(std::memory_order_relaxed)))
                 : read_committed(thread, record, slot);
}

bool write_if_free(Thread& thread, Cell& cell, PyObject* value) {
  const std::uint32_t thin_id = thread.descriptor.thin_id;
  if ((cell.record.bits() & core::Record::kWatched) || !cell.record.take_if_free(thin_id, Mode::Write))
    return false;
  // Between these two lines the record is held by a descriptor without an attempt: others look again until it
  // is released.
  void* old_value = cell.value.load(std::memory_order_relaxed);
  if (old_value) cell.value.store(Py_NewRef(value), core::kRelease);
  // Since we looked somebody may have come to watch it, or to wait.
  if (!cell.record.release_if_alone(thin_id))
    core::release_and_wake(thread.descriptor, cell.record, old_value != nullptr);
  if (!old_value) return false;
  core::reclaim_reference(old_value);
  core::Observer::empty_limbo();  // whoever observed may have looked there before us
  return true;
}

Done read_cell(Thread& thread, PyObject* object, Cell& cell, PyObject*& value) {
  core::Descriptor& self = thread.descriptor;
  if (!thread.in_transaction()) {
    value = read_committed(thread, cell.record, cell.value);
    return Done::Yes;
  }
  if (is_unrecorded(thread)) {
    value = peek_unrecorded(thread, cell.record, cell.value);
    return Done::Yes;
  }
  const Mode mode = core::mode_for(self, cell.record, Mode::Read);
  Outcome outcome;
  const Done done = core::is_write(mode) ? own_cell_as(thread, object, cell, mode)
                                         : request(thread, object, cell.record, mode, outcome);
  if (done == Done::Yes) value = Py_XNewRef(cell.peek());
  return done;
}

Done own_cell_slowly(Thread& thread, PyObject* object, Cell& cell, Ownership& ownership) {
  return request_write(thread, object, cell.record,
                       core::mode_for(thread.descriptor, cell.record, Mode::Write), ownership);
}

Done hold_cell(Thread& thread, PyObject* object, Cell& cell) {
  if (is_unrecorded(thread)) return Done::Unheld;
  PyObject* value = nullptr;
  const Done done = read_cell(thread, object, cell, value);
  Py_XDECREF(value);  // the cell keeps it
  return done;
}

Done read_cell_for_update(Thread& thread, PyObject* object, Cell& cell) {
  if (is_unrecorded(thread)) return Done::Unheld;
  const Mode mode = core::mode_for(thread.descriptor, cell.record, Mode::Update);
  if (core::is_write(mode)) return own_cell_as(thread, object, cell, mode);
  Outcome outcome;
  return request(thread, object, cell.record, mode, outcome);
}

Done write_cell(Thread& thread, PyObject* object, Cell& cell, PyObject* value, bool& existed) {
  Ownership ownership;
  const Done owned = own_cell_unlogged(thread, object, cell, ownership);
  if (owned != Done::Yes) return owned;
  if (ownership.log) {
    PyObject* old_value = cell.peek();
    if (old_value && value) {  // the log takes over the cell's reference
      log_cell(thread, object, cell, old_value, ownership);
      cell.value.store(Py_NewRef(value), core::kRelease);
      existed = true;
      return Done::Yes;
    }
    log_cell(thread, object, cell, Py_XNewRef(old_value), ownership);
  }
  existed = cell.peek() != nullptr;
  if (existed != (value != nullptr)) {
    const Done done = own_structure(thread, object);
    if (done != Done::Yes) return done;
    if (value && !append_to_order(thread, object, cell)) return Done::Failed;
    if (!value) forward_if_held(shell_of(object));
  }
  // The replaced value was this transaction's own, or the log has it too: nobody else can be looking at it.
  PyObject* replaced = cell.peek();
  cell.value.store(Py_XNewRef(value), core::kRelease);
  Py_XDECREF(replaced);
  return Done::Yes;
}

Done replace_value(Thread& thread, PyObject* object, Cell& cell, PyObject* value) {
  Ownership ownership;
  const Done owned = own_cell_unlogged(thread, object, cell, ownership);
  if (owned != Done::Yes) return owned;
  PyObject* replaced = cell.peek();
  if (ownership.log) {  // the log takes over the cell's reference
    log_cell(thread, object, cell, replaced, ownership);
    replaced = nullptr;
  }
  cell.value.store(Py_XNewRef(value), core::kRelease);
  Py_XDECREF(replaced);
  return Done::Yes;
}

Done read_structure(Thread& thread, PyObject* object) {
  core::Record& record = shell_of(object)->structure;
  if (!thread.in_transaction() || core::holds(thread.descriptor, record) || is_unrecorded(thread))
    return Done::Yes;
  Outcome outcome;
  return request(thread, object, record, core::mode_for(thread.descriptor, record, Mode::Read), outcome);
}

Done own_structure(Thread& thread, PyObject* object) {
  core::Record& record = shell_of(object)->structure;
  if (core::holds_logged(thread.descriptor, record)) return Done::Yes;
  Outcome outcome;
  return request(thread, object, record, core::mode_for(thread.descriptor, record, Mode::Write), outcome);
}

bool must_abort(Thread& thread) { return is_unwinding(thread) && (!thread.told || !is_handling_abort()); }

Done raise_abort(Thread& thread) {
  thread.told = true;
  PyErr_SetString(errors::abort_transaction, thread.retrying
                                                 ? "the transaction waits in retry() and will be run again"
                                                 : "the transaction was aborted and will be run again");
  return Done::Failed;
}

}  // namespace stmpy
