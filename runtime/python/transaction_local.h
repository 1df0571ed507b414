// `TransactionLocal`: a value for each transaction, made at its first use, and taken back with the part that
// changed it.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// Adds the type to the module. -1 with an exception.
int add_transaction_local(PyObject* module);

}  // namespace stmpy
