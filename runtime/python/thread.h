// What the runtime keeps for each thread: its descriptor, the call it is in, and its memory of attribute
// lookups.
#pragma once

#include "runtime/core/transaction.h"
#include "runtime/python/companions.h"
#include "runtime/python/lookup.h"
#include "runtime/python/timed_calls.h"

namespace stmpy {

// What `@atomic(...)` was given.
struct Options {
  PyObject* name = nullptr;        // interned: stays readable for other threads while a call runs
  double timeout = -1;             // seconds; negative: none
  std::uint64_t max_attempts = 0;  // 0: no limit
  bool exclusive = false;          // reads="exclusive"
  bool irrevocable = false;
};

// Where retry() was called.
struct Place {
  Ref file;
  int line = 0;
};

// What ends with a call of an outermost atomic function, or with one of its attempts.
struct CallState {
  // --- for the call; what is shown changes between attempts only
  std::uint64_t level = 0;             // the innermost call or block that is open; 0 outside
  core::Shown<PyObject*> name;         // of the call; interned
  core::Shown<std::uint64_t> call;     // its serial number; 0 outside
  core::Shown<std::uint64_t> attempt;  // from 1
  Ref deadline_of;  // the name of the function whose timeout is the tightest; a leftover where there is none
  TimedCalls timed_calls;
  std::uint64_t alternative = 0;  // the level of the innermost alternative of or_else; 0: none

  // --- for one attempt
  bool told = false;         // AbortTransaction was raised in it
  bool needs_token = false;  // ... because a nested call is irrevocable: the call runs again as such
  bool timed_out = false;    // ... because a wait reached the deadline: the call ends with TransactionTimeout
  bool retrying = false;     // ... by retry(), and what it unwinds to has not been reached
  std::uint64_t retry_target = 0;  // the level of that; 0: the outermost call, and the attempt is doomed
  Place retry_place;
  std::unique_ptr<Companions> companions;  // null: it has none

  // The object whose record the descriptor has claimed; null where it has claimed none.
  Ref claimed_object;
};

struct alignas(64) Thread : CallState {
  core::Descriptor& descriptor;

  std::uint64_t next_call = 1;
  std::uint64_t last_level = 0;      // no two calls or blocks ever have the same one
  core::Shown<unsigned long> ident;  // the interpreter's number for it
  LookupCache lookups;

  explicit Thread(core::Descriptor& of) : descriptor(of) {}
  bool in_transaction() const { return level != 0; }
  void open_level() { level = ++last_level; }
  void show_call(PyObject* its_name, std::uint64_t number) {
    name.set_release(its_name);
    call.set_release(number);
  }
};

namespace detail {
// constinit: no call to find out whether it has been initialised.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Thread* current_thread;
Thread* adopt_thread();
}  // namespace detail

// Null with MemoryError.
inline Thread* this_thread() {
  Thread* thread = detail::current_thread;
  if (!thread) [[unlikely]]
    return detail::adopt_thread();
  return thread;
}
// Null where this thread has never touched an STMObject.
inline Thread* this_thread_if_any() { return detail::current_thread; }

// For the statistics: a call that raises TransactionTimeout.
inline void count_timeout() {
  if (Thread* thread = this_thread_if_any()) thread->descriptor.counters.add(core::Counter::Timeouts);
}

// The Thread of a descriptor; null for one that has had no Python thread yet.
Thread* thread_of(const core::Descriptor& descriptor);

// Connects the core with the interpreter, and forks with the core. -1 with an exception.
int install_host();

}  // namespace stmpy
