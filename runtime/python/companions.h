// What an attempt of a transaction keeps beside its log and its accesses. Few attempts have any of it, so a
// commit asks one pointer.
//
// What of it a savepoint has to take back is also an entry of the log, as a change of its own kind: it is
// replayed with the values, whoever opened the savepoint.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/core/transaction.h"
#include "runtime/python/references.h"

namespace stmpy {

struct Thread;

// A call that waits for the end of the attempt.
struct Callback {
  Ref function;
  Ref args;         // a tuple
  Ref kwargs;       // a dict, or null
  bool on_abort;    // else on commit
  bool taken_back;  // with the part of the transaction that registered it
};

// The value of a TransactionLocal in an attempt.
struct Binding {
  Ref local;         // so that its address is not another one's
  Ref value;         // null: it has none
  core::Record key;  // under which the savepoints remember whether it was logged; nobody ever holds it
};

// Of one attempt; owned by its thread alone, and taken from it before anything of it is let go.
struct Companions {
  core::Record record;  // stands in their log entries; nobody ever holds it
  Ref dying;            // a list, or null: STMObjects whose __del__ waits for the end (finaliser.h)
  std::deque<Callback> callbacks;                 // in the order of registration (callbacks.h)
  std::unordered_map<PyObject*, Binding> locals;  // by TransactionLocal (transaction_local.h)
  std::vector<Ref>
      written;  // objects of classes with invariants, in the order of their first writes (invariants.h)
  std::unordered_set<PyObject*> known_as_written;  // the same
  bool is_single_write = false;                    // of a write outside, and of nothing else
  bool are_checked = false;      // the invariants, right now: what runs is a check, or called by one
  std::uint32_t unrecorded = 0;  // contexts in which reads leave no trace, within each other (unrecorded.h)
  std::uint64_t unrecorded_level = 0;  // of the call in which they were entered
};

// In a transaction: those of its attempt, made at the first need. Null with MemoryError.
Companions* companions_of(Thread& thread);

// Makes room for one entry in the log. False with MemoryError.
bool reserve_entry(Thread& thread);
// With room in the log, in a transaction that has companions: logs a change of them. `old_value` may be null.
void log_companion(Thread& thread, void* changed, const core::Change& change, Ref old_value);

// For an attempt that has ended, outside of it, with no exception set: finalisers, then callbacks, then all
// is let go. Any code may run. False with an exception, which a callback has raised.
bool end_companions(std::unique_ptr<Companions> companions, bool committed);

}  // namespace stmpy
