// STMObject: what attribute access on it means, in every tier (design, sections 3 and 4).
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// Interned names and objects that are looked up often; set once, when the module is made.
namespace names {
extern PyObject *getattribute, *setattr, *delattr, *dict, *class_, *stm_block;
}
// What a class finds that overrides nothing: STMObject's own slot wrappers.
extern PyObject *own_getattribute, *own_setattr;

// object.__getattribute__, object.__setattr__ and object.__delattr__ for an STMObject.
PyObject* get_attribute(PyObject* object, PyObject* name);
int set_attribute(PyObject* object, PyObject* name, PyObject* value);  // null: delete

// An object without attributes, of a class whose `tp_new` has looked at its arguments. Null with an
// exception.
PyObject* new_object(PyTypeObject* type);

int ready_object_type();

}  // namespace stmpy
