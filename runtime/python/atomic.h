// What `@atomic` makes of a function, and `atomic` itself with its arguments.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

// Adds `atomic`, `atomically` and `compiled` to the module. -1 with an exception.
int add_atomic(PyObject* module);

}  // namespace stmpy
