// The attributes of the instance alone, without descriptors and the class: what obj.__dict__ shows.
#pragma once

#include "runtime/python/barriers.h"

namespace stmpy {

// An exact, interned string for an attribute's name; null with TypeError.
Ref interned_name(PyObject* name);

// The value, counted; null where there is none, which is registered as read too.
Done read_instance(Thread& thread, PyObject* object, PyObject* name, PyObject*& value);
// Sets or (null) deletes, in the transaction or as one of its own. -1 with an exception.
int write_instance(Thread& thread, PyObject* object, PyObject* name, PyObject* value);
// The same for an object whose class has no invariants.
int write_instance_cell(Thread& thread, PyObject* object, PyObject* name, Cell& cell, PyObject* value);
// Replaces all of them by the items of a dict (null: none), in one transaction. -1 with an exception.
int replace_instance_attributes(PyObject* object, PyObject* dict);

// For stmpy._instance_dict: get(object, name, default), set(object, name, value), delete(object, name),
// names(object).
extern PyMethodDef instance_methods[];

}  // namespace stmpy
