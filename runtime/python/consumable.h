// Arguments that a first attempt may have used up: iterators that are their own. A second attempt would see
// the rest only.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/python/references.h"

namespace stmpy {

class ConsumableArguments {
 public:
  // Remembers how far each such argument has come. Almost always there is none, which is seen inline: by
  // tp_iter, since from 3.12 on each class of the user's has a tp_iternext.
  ConsumableArguments(PyObject* const* arguments, Py_ssize_t count) {
    for (Py_ssize_t index = 0; index < count; ++index) {
      if (Py_TYPE(arguments[index])->tp_iter == PyObject_SelfIter) [[unlikely]]
        remember(arguments[index], index);
    }
  }

  // False with a TransactionUsageError that names the first one that was consumed (or may have been) since.
  bool can_run_again(PyObject* function_name) const;

 private:
  [[gnu::cold]] void remember(PyObject* iterator, Py_ssize_t index);

  struct Consumable {
    PyObject* iterator;  // borrowed from the caller
    Py_ssize_t index;
    std::int64_t position;
  };
  std::vector<Consumable> consumables_;
};

}  // namespace stmpy
