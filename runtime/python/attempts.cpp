#include "runtime/python/attempts.h"

#include "runtime/python/errors.h"
#include "runtime/python/invariants.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {

Commit commit_with_companions(Thread& thread) {
  if (is_unrecorded(thread)) {  // reads since then are missing
    raise_unrecorded("a transaction cannot end");
    return Commit::Refused;
  }
  const bool may_commit = thread.descriptor.state().state() != core::State::Doomed;
  if (may_commit && !thread.companions->written.empty() && !check_invariants(thread)) return Commit::Refused;
  if (!core::commit(thread.descriptor)) return Commit::Refused;
  thread.level = 0;
  std::unique_ptr<Companions> companions = std::move(thread.companions);
  release_attempt(thread);
  return end_companions(std::move(companions), true) ? Commit::Done : Commit::DoneAndRaised;
}

bool revert_attempt(Thread& thread) {
  core::doom(thread.descriptor);
  core::revert(thread.descriptor);
  thread.level = 0;
  std::unique_ptr<Companions> companions = std::move(thread.companions);
  release_attempt(thread);
  if (!companions) return true;
  const core::Blocker blocker = thread.descriptor.blocker;  // transactions of callbacks have their own
  const bool quiet = end_companions(std::move(companions), false);
  thread.descriptor.blocker = blocker;
  return quiet;
}

bool wait_for_token(Thread& thread, PyObject* function_name) {
  const core::Wait wait = core::take_token(thread.descriptor);
  if (wait == core::Wait::TimedOut) {
    count_timeout();
    PyErr_Format(errors::transaction_timeout,
                 "%U waited longer than its timeout allows to become irrevocable; nothing was changed",
                 function_name);
  }
  return wait == core::Wait::Ended;
}

void raise_timeout(PyObject* function_name) {
  count_timeout();
  PyErr_Format(errors::transaction_timeout,
               "%U waited longer than its timeout allows for another transaction to end; nothing was changed",
               function_name);
}

}  // namespace stmpy
