// `with atomic():` in compiled code: the generated code is the loop of attempts, and calls these.
//
//     for block in block_attempts(atomic(), "name", …):     waits between two attempts, outside of any
//     handler
//         try:
//             with block:                                   its end is the commit, however the code leaves
//                 block_begin(block)
//                 …
//         except block_aborted(block):                      takes back; matches if the block is to run again
//             … = block_saved(block)
//         else:
//             break
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

extern PyMethodDef block_methods[];

// Adds the type of blocks and `unbound`, which block_saved has for a variable that had no value. -1 with an
// exception.
int add_block(PyObject* module);

}  // namespace stmpy
