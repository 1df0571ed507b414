// The barriers: reading and writing one cell, whatever the thread is doing.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

enum class Done : std::uint8_t {
  Yes,
  Again,   // it waited, and other code may have run: the caller starts over with its lookups
  Failed,  // with an exception
  Unheld,  // in unrecorded(): only access to the object itself is right
};

// In a transaction. Registers a pair of `object` in `mode`, which is core::mode_for's. Yes: `outcome` says
// whether it was held already.
Done request(Thread& thread, PyObject* object, core::Record& record, core::Mode mode, core::Outcome& outcome);

// The value of a cell, counted; null for an attribute that does not exist. `object` is the shell it belongs
// to.
Done read_cell(Thread& thread, PyObject* object, Cell& cell, PyObject*& value);

// In a transaction. Gives the cell a value, or none (null). The structure of the object is written too where
// the attribute comes or goes. `existed`: whether there was a value before. The replaced value is released
// last (any code may run).
Done write_cell(Thread& thread, PyObject* object, Cell& cell, PyObject* value, bool& existed);
// The same for a cell whose coming and going no structure shows.
Done replace_value(Thread& thread, PyObject* object, Cell& cell, PyObject* value);
// In a transaction. Holds the cell, in mode Update where a write may follow; or Unheld.
Done hold_cell(Thread& thread, PyObject* object, Cell& cell);
Done read_cell_for_update(Thread& thread, PyObject* object, Cell& cell);

// The structure: which attributes there are, in which order, and the class. Outside of a transaction reading
// it is nothing; what is changed in a transaction that owns it is logged by the caller, each time.
Done read_structure(Thread& thread, PyObject* object);
Done own_structure(Thread& thread, PyObject* object);

// The value of a slot as the thread sees it without registering anything, counted: in a transaction that of a
// record that is held, else the last committed one.
PyObject* peek_unrecorded(Thread& thread, const core::Record& record, const core::Slot& slot);
// A value of a cell outside of transactions: the last committed one, counted.
PyObject* read_committed(Thread& thread, const core::Record& record, const core::Slot& slot);
// Outside of transactions: replaces the value of an existing attribute that nobody uses right now. False:
// take the whole way. The replaced value is released (any code may run).
bool write_if_free(Thread& thread, Cell& cell, PyObject* value);

// The attempt, or the alternative it is in, will be reverted: doomed, or on its way out of retry().
inline bool is_unwinding(const Thread& thread) {
  return thread.retrying || thread.descriptor.state().state() == core::State::Doomed;
}
// Raises AbortTransaction for the attempt in progress. Always Failed.
Done raise_abort(Thread& thread);
// Unwinding, and its AbortTransaction is not being handled: it was swallowed, or not noticed yet. Then it is
// raised (again).
bool must_abort(Thread& thread);

[[gnu::always_inline]] inline Done read_cell_fast(Thread& thread, PyObject* object, Cell& cell,
                                                  PyObject*& value) {
  if (!core::holds(thread.descriptor, cell.record)) {
    core::Outcome outcome;
    if (!core::read_quickly(thread.descriptor, cell.record, object, outcome)) [[unlikely]]
      return read_cell(thread, object, cell, value);
    if (outcome == core::Outcome::Registered) Py_INCREF(object);
  }
  value = Py_XNewRef(cell.peek());
  return Done::Yes;
}

// How a cell came to be owned for writing.
struct Ownership {
  bool log;    // the old value has to be logged, before it is changed and before any code runs
  bool first;  // ... because the pair came to be written just now
};
Done own_cell_slowly(Thread& thread, PyObject* object, Cell& cell, Ownership& ownership);
// In a transaction. Owns the cell for writing, with room for one entry in the log.
[[gnu::always_inline]] inline Done own_cell_unlogged(Thread& thread, PyObject* object, Cell& cell,
                                                     Ownership& ownership) {
  if (core::holds_logged(thread.descriptor, cell.record)) {
    ownership = {false, false};
    return Done::Yes;
  }
  core::Outcome outcome;
  if (!core::write_quickly(thread.descriptor, cell.record, object, outcome)) [[unlikely]]
    return own_cell_slowly(thread, object, cell, ownership);
  if (outcome == core::Outcome::Registered) Py_INCREF(object);
  ownership = {true, true};
  return Done::Yes;
}
// Logs the value of an owned cell. The log takes over `old_value`, a reference.
[[gnu::always_inline]] inline void log_cell(Thread& thread, PyObject* object, Cell& cell, PyObject* old_value,
                                            const Ownership& ownership) {
  core::log_slot(thread.descriptor, cell.record, object, cell.value, old_value, ownership.first);
}
// In a transaction. Owns the cell and has logged its value, so that it may be changed in place.
inline Done own_cell(Thread& thread, PyObject* object, Cell& cell) {
  Ownership ownership;
  const Done done = own_cell_unlogged(thread, object, cell, ownership);
  if (done == Done::Yes && ownership.log) log_cell(thread, object, cell, Py_XNewRef(cell.peek()), ownership);
  return done;
}

}  // namespace stmpy
