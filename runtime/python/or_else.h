// or_else(f, g, ...): the first alternative that does not retry() (protocol, section 8).
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

// Adds it to the module. -1 with an exception.
int add_or_else(PyObject* module);

}  // namespace stmpy
