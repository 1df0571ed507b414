// What an attempt of a transaction keeps beside its log and its accesses. Few attempts have any of it, so a
// commit asks one pointer.
//
// What of it a savepoint has to take back is also an entry of the log, as a change of its own kind: it is
// replayed with the values, whoever opened the savepoint.
#pragma once

#include <deque>
#include <memory>

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

// Of one attempt; owned by its thread alone, and taken from it before anything of it is let go.
struct Companions {
  core::Record record;  // stands in their log entries; nobody ever holds it
  Ref dying;            // a list, or null: STMObjects whose __del__ waits for the end (finaliser.h)
  std::deque<Callback> callbacks;  // in the order of registration (callbacks.h)
};

// In a transaction: those of its attempt, made at the first need. Null with MemoryError.
Companions* companions_of(Thread& thread);

// In a transaction that has companions: logs a change of them. The log takes over `old_value`, a reference or
// null. False with MemoryError, and nothing is changed.
bool log_companion(Thread& thread, void* changed, const core::Change& change, PyObject* old_value);

// For an attempt that has ended, outside of it, with no exception set: finalisers, then callbacks, then all
// is let go. Any code may run. False with an exception, which a callback has raised.
bool end_companions(std::unique_ptr<Companions> companions, bool committed);

}  // namespace stmpy
