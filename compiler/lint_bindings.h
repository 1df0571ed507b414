// The lints as the Python package sees them: `stmpy._compiler.lint` and its rules.

#pragma once

#include <pybind11/pybind11.h>

namespace stmpy::compiler {

void bind_lint(pybind11::module_& module);

}  // namespace stmpy::compiler
