// `unrecorded()`: a context in which reads leave no trace (protocol, section 9).
//
// What this transaction holds it sees as it is, which needs no registration; everything else as from outside,
// that is as it was committed last. The context belongs to the call in which it was entered, and ends with it
// at the latest.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

inline bool is_unrecorded(const Thread& thread) {
  return thread.companions && thread.companions->unrecorded != 0;
}
// TransactionUsageError: `what` cannot be done there.
void raise_unrecorded(const char* what);

// A call ends: so do the contexts that were entered in it and left open.
void end_unrecorded(Thread& thread, std::uint64_t level);

// Adds the type to the module. -1 with an exception.
int add_unrecorded(PyObject* module);

}  // namespace stmpy
