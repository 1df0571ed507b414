// What a program may ask about transactions: which there are, what they hold, what they changed.
#pragma once

#include <pybind11/pybind11.h>

namespace stmpy {

void add_introspection(pybind11::module_& module);

}  // namespace stmpy
