// The calls that compiled code makes (design, section 5): load, open_…, and the in-place operators.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

extern PyMethodDef compiled_methods[];

}  // namespace stmpy
