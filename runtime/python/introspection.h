// What a program may ask about transactions: which there are, what they hold, what they changed.
#pragma once

#include "runtime/core/ownership.h"
#include "runtime/python/references.h"

namespace stmpy {

extern PyMethodDef introspection_methods[];

// Which attribute of the object the record stands for. Its structure goes by the name of what shows it. Null
// with an exception.
Ref attribute_of(PyObject* object, const core::Record* record);

}  // namespace stmpy
