// To hear of every change of a class.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

// From now on class_changes() (payload.h) is called for the class whenever it or one of its bases changes.
// False with an exception.
bool watch_class(PyTypeObject* type);

}  // namespace stmpy
