// What `@atomic` makes of a function, and `atomic` itself with its arguments.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// What `atomic`, or `atomic(timeout=...)`, was given; null for any other object.
const Options* options_of_atomic(PyObject* object);

// Adds `atomic`, `atomically` and `compiled` to the module. -1 with an exception.
int add_atomic(PyObject* module);

}  // namespace stmpy
