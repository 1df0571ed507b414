// STMDict, STMSet, STMList, STMQueue, STMCounter: STMObjects with cells of their own behind the shell, read
// and written through the same barriers as attributes.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

// Makes the types, and adds them to the module. -1 with an exception.
int add_collections(PyObject* module);

}  // namespace stmpy
