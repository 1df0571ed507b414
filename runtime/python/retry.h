// retry(): the transaction is taken back, waits until something that it has read changes, and runs again.
//
// It unwinds as an abort does, by AbortTransaction, which cannot be swallowed, and as far as the nearest that
// has an answer to it: a nested call whose timeout has passed (TransactionTimeout, there), an alternative of
// or_else (the next one), or the outermost call, which waits. Only in the last case is the attempt doomed; on
// the way to the others the thread is `retrying`, and barriers answer as in a doomed attempt.
#pragma once

#include "runtime/core/watch.h"
#include "runtime/python/thread.h"

namespace stmpy {

// retry() for code in C++. Always null, with an exception.
PyObject* raise_retry();
// The same again for the same place, from further out: when all alternatives have retried.
PyObject* retry_further(Thread& thread);

// What it unwinds to has been reached. The attempt goes on, unless it was doomed meanwhile.
void end_retry(Thread& thread);

// TransactionTimeout for a call of that function in whose time retry() was never satisfied.
void raise_retry_timeout(PyObject* function_name, const Place& place,
                         const std::vector<core::Watcher>& pairs);
// The same in the transaction of the thread.
void raise_retry_timeout(Thread& thread, PyObject* function_name);
// TransactionUsageError; `why` it can never be satisfied, and the remedy.
void raise_futile_retry(const Place& place, const char* why);

// Nobody but the watch has any of its objects.
bool is_futile(const core::Watch& watch);

// Whether a value is the same as before where it is the same object (core/host.h).
bool is_constant(void* reference);

extern PyMethodDef retry_methods[];

}  // namespace stmpy
