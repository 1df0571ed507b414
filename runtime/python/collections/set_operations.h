// What sets are combined to, in the order of their elements: those of the left operand come first.
#pragma once

#include "runtime/python/collections/set.h"

namespace stmpy {

enum class Combine : std::uint8_t { Union, Intersection, Difference, SymmetricDifference };

// A new STMSet of `self` and each of the others in turn. Null with an exception.
PyObject* combined(PyObject* self, Combine how, PyObject* const* others, Py_ssize_t count);
// The same, left in `self`. False with an exception.
bool combine_in_place(PyObject* self, Combine how, PyObject* const* others, Py_ssize_t count);

}  // namespace stmpy
