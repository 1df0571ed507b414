#include "runtime/python/attempts.h"

#include "runtime/python/errors.h"

namespace stmpy {

void revert_attempt(Thread& thread) {
  core::doom(thread.descriptor);
  core::revert(thread.descriptor);
  thread.level = 0;
  release_attempt(thread);
}

void raise_timeout(PyObject* function_name) {
  PyErr_Format(errors::transaction_timeout,
               "%U waited longer than its timeout allows for another transaction to end; nothing was changed",
               function_name);
}

}  // namespace stmpy
