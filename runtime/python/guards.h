// What compiled code calls where it could swallow an abort and go on (protocol, section 5).
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

extern PyMethodDef guard_methods[];

}  // namespace stmpy
