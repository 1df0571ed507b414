// `__class__` of an STMObject: reading it is a read of the object's structure, assigning it is reverted on
// abort.
#pragma once

#include "runtime/python/references.h"

namespace stmpy {

PyObject* get_class(PyObject* self, void*);
int set_class(PyObject* self, PyObject* value, void*);

}  // namespace stmpy
