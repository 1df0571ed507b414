#include "runtime/python/attempts.h"

#include "runtime/python/errors.h"

namespace stmpy {

void revert_attempt(Thread& thread) {
  core::doom(thread.descriptor);
  core::revert(thread.descriptor);
  thread.nesting = 0;
  release_attempt(thread);
}

bool wait_before_rerun(Thread& thread) {
  switch (core::wait_for_blocker(thread.descriptor)) {
    case core::Wait::Ended:
    case core::Wait::Doomed:
      return true;
    case core::Wait::Interrupted:
      return false;
    case core::Wait::TimedOut:
      raise_timeout(thread);
      return false;
  }
  return true;
}

void raise_timeout(Thread& thread) {
  PyErr_Format(errors::transaction_timeout,
               "%U waited longer than its timeout allows for another transaction to end; nothing was changed",
               thread.deadline_of ? thread.deadline_of : thread.name.get());
}

}  // namespace stmpy
