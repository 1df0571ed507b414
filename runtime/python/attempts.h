// The steps between which an attempt runs: shared by atomic functions and by single writes outside of them.
#pragma once

#include "runtime/core/irrevocable.h"
#include "runtime/python/barriers.h"
#include "runtime/python/guarded.h"

namespace stmpy {

// Begins an attempt of an outermost transaction on this thread.
inline void begin_attempt(Thread& thread, bool exclusive = false) {
  thread.told = thread.needs_token = thread.timed_out = thread.retrying = false;
  thread.open_level();
  core::begin(thread.descriptor, exclusive);
}
// Between two attempts: waits until an irrevocable one may begin. `function_name` is whose the deadline is.
// False with an exception.
bool wait_for_token(Thread& thread, PyObject* function_name);
// The attempt that has just begun is irrevocable, and no deadline is for it.
inline void become_irrevocable(Thread& thread) {
  core::become_irrevocable(thread.descriptor);
  thread.descriptor.deadline = core::kNoDeadline;
}

// The references of the log and accesses of an attempt that has ended. Any code may run; the thread is
// outside of the transaction.
inline void release_attempt(Thread& thread) {
  if (thread.claimed_object) [[unlikely]]
    thread.claimed_object = Ref();
  core::release_references(thread.descriptor,
                           [](void* reference) { Py_DECREF(static_cast<PyObject*>(reference)); });
}

enum class Commit : std::uint8_t {
  Done,
  DoneAndRaised,  // with an exception of callbacks of the user's
  Refused,  // nothing has happened yet: the attempt is to be taken back; with an exception or without one
};
// For an attempt that has companions.
Commit commit_with_companions(Thread& thread);
inline Commit commit_attempt(Thread& thread) {
  if (thread.companions) [[unlikely]]
    return commit_with_companions(thread);
  if (!core::commit(thread.descriptor)) [[unlikely]]
    return Commit::Refused;
  thread.level = 0;
  release_attempt(thread);
  return Commit::Done;
}

// Takes everything back and ends the attempt. No exception may be set: finalisers and callbacks run at the
// end. False with an exception that has to leave in any case.
bool revert_attempt(Thread& thread);

// The end of a call's scope: candidates for irrevocable do not wait for it any more.
struct EndOfCall {
  explicit EndOfCall(Thread& of) : thread(of) {}
  ~EndOfCall() { core::forget_age(thread.descriptor); }
  EndOfCall(const EndOfCall&) = delete;
  EndOfCall& operator=(const EndOfCall&) = delete;
  Thread& thread;
};

// TransactionTimeout for a call of that function.
void raise_timeout(PyObject* function_name);

// Runs `body` (returns Done, may run more than once, may throw std::bad_alloc) in the transaction of the
// thread, or in one of its own. False with an exception.
template <class Body>
bool in_one_transaction(Thread& thread, Body body) {
  const auto run = [&] {
    try {
      Done done;
      do done = body();
      while (done == Done::Again);
      return done == Done::Yes;
    } catch (const std::bad_alloc&) {
      raise_no_memory();
      return false;
    }
  };
  if (thread.in_transaction()) return run();
  thread.descriptor.deadline = core::kNoDeadline;
  thread.descriptor.age.store(0, std::memory_order_relaxed);
  thread.descriptor.promoted.clear();
  const EndOfCall end_of_call(thread);
  for (bool irrevocable = false;;) {
    if (irrevocable && !wait_for_token(thread, thread.name.get())) return false;
    begin_attempt(thread);
    if (irrevocable) become_irrevocable(thread);
    if (run()) {
      const Commit commit = commit_attempt(thread);
      if (commit != Commit::Refused) return commit == Commit::Done;
    }
    const bool aborted = thread.descriptor.state().state() == core::State::Doomed;
    if (aborted) core::draw_age(thread.descriptor);
    irrevocable |= aborted && thread.needs_token;
    RaisedException raised = RaisedException::take();
    if (!revert_attempt(thread)) return false;
    if (!aborted) {
      raised.raise_again();
      return false;
    }
    thread.descriptor.deadline = core::kNoDeadline;
    if (core::wait_for_blocker(thread.descriptor) == core::Wait::Interrupted) return false;
  }
}

}  // namespace stmpy
