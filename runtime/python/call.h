// Runs a callable as a transaction: the loop of attempts, or a savepoint where one is running already.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// A vectorcall. The result, or null with an exception.
PyObject* call_atomically(const Options& options, PyObject* callable, PyObject* const* args,
                          std::size_t nargsf, PyObject* kwnames);

}  // namespace stmpy
