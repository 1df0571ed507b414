// The exceptions of the runtime. Owned by the module for the life of the process.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

namespace errors {
// `never_raised` matches nothing, also where it is one of several.
extern PyObject *never_raised, *abort_transaction, *transaction_error, *transaction_timeout,
    *too_many_attempts, *usage_error, *invariant_violated;
}  // namespace errors

// True while an AbortTransaction is on the thread's stack of handled exceptions.
bool is_handling_abort();
// Whether the exception is an AbortTransaction; whether it was raised while one was handled.
bool is_abort(PyObject* exception);
bool follows_abort(PyObject* exception);

// Makes the exceptions, and adds them to the module. -1 with an exception.
int add_errors(PyObject* module);

}  // namespace stmpy
