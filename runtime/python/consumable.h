// Arguments that a first attempt may have used up: iterators that are their own. A second attempt would see the rest only.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/python/references.h"

namespace stmpy {

class ConsumableArguments {
 public:
  // Remembers how far each such argument has come. Almost always there is none.
  ConsumableArguments(PyObject* const* arguments, Py_ssize_t count);

  // False with a TransactionUsageError that names the first one that was consumed (or may have been) since.
  bool can_run_again(PyObject* function_name) const;

 private:
  struct Consumable {
    PyObject* iterator;  // borrowed from the caller
    Py_ssize_t index;
    std::int64_t position;
  };
  std::vector<Consumable> consumables_;
};

}  // namespace stmpy
