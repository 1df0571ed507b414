// A callable each of whose calls is a transaction: what `@atomic` puts in the place of a function.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

extern PyTypeObject atomic_function_type;

// `options.name` is borrowed. Copies what functools.wraps copies. Null with an exception.
PyObject* make_atomic_function(PyObject* function, const Options& options);

}  // namespace stmpy
