// The order of an object's attributes, which is that of their insertion, as in any Python object.
//
// Objects nearly always get their attributes in the order of their cells; then nothing is kept. Otherwise a tuple of names
// says the order, changed with every attribute that comes. Deleted ones may stay in it: they have no value.
#pragma once

#include <vector>

#include "runtime/python/thread.h"

namespace stmpy {

// In a transaction that owns the structure, before the cell gets its value. False with an exception.
bool append_to_order(Thread& thread, PyObject* object, PyObject* name, const Cell& coming);

// Names of the cells in the order of insertion, those without a value among them. False with an exception.
bool names_in_order(Thread& thread, PyObject* object, std::vector<Ref>& names);

}  // namespace stmpy
