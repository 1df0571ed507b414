// STMCounter: a number to which transactions add without conflicting with each other.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

int add_counter(PyObject* module);

}  // namespace stmpy
