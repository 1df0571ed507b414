// The exceptions of the runtime. Owned by the module for the life of the process.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

namespace errors {
extern PyObject *abort_transaction, *transaction_error, *transaction_timeout, *too_many_attempts,
    *usage_error;
}  // namespace errors

// True while an AbortTransaction is on the thread's stack of handled exceptions.
bool is_handling_abort();

// Makes the exceptions, and adds them to the module. -1 with an exception.
int add_errors(PyObject* module);

}  // namespace stmpy
