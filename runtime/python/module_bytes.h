// What the import hook asks about the bytes of each module it sees: both questions at the speed of memory.
#pragma once

#include <Python.h>

namespace stmpy {

// mentions_stmpy(bytes), checksum(buffer).
extern PyMethodDef module_bytes_methods[];

}  // namespace stmpy
