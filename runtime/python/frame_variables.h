// The variables of the Python code that called us, by name.
#pragma once

#include "runtime/python/compat.h"

namespace stmpy {

// Those of its own scope: a function's locals, cells and free variables; elsewhere its namespace.
class FrameVariables {
 public:
  FrameVariables();
  ~FrameVariables();
  FrameVariables(const FrameVariables&) = delete;
  FrameVariables& operator=(const FrameVariables&) = delete;

  // Null without an exception where the variable is not bound.
  Ref get(PyObject* name) const;

 private:
  PyFrameObject* frame_;  // borrowed; of a function whose variables are read one by one, else null
  Ref namespace_;
};

class GlobalVariables {
 public:
  Ref get(PyObject* name) const;
};

}  // namespace stmpy
