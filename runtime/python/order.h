// The order of an object's attributes, which is that of their insertion, as in any Python object.
//
// Objects nearly always get the attributes of their layout in its order; then nothing is kept. One that comes
// out of order, and each beyond the layout, gets a serial number: attributes without one come first, in the
// order of the layout, then the others by number. Numbers are transactional, under the record of the object's
// structure; those of deleted attributes stay.
#pragma once

#include <vector>

#include "runtime/python/thread.h"

namespace stmpy {

// In a transaction that owns the structure, before the cell gets its value. False with an exception.
bool append_to_order(Thread& thread, PyObject* object, Cell& coming);

// All cells in the order of insertion, those without a value among them. False with an exception.
bool cells_in_order(Thread& thread, PyObject* object, std::vector<NamedCell>& cells);

}  // namespace stmpy
