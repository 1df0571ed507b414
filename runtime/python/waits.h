// The waits that go on, for stmpy._stalls.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

extern PyMethodDef wait_methods[];

}  // namespace stmpy
