// Points at which a test may stop a thread to build one interleaving. Nothing in a build that is not for
// tests.
#pragma once

#include <chrono>

namespace stmpy::core {

enum class Step {
  Requested,   // a record was asked for, the answer not acted on yet
  Refused,     // a request was refused, nothing done about it yet
  Dooming,     // a senior knows who is in its way, and has not doomed it yet
  Doomed,      // a senior has doomed who is in its way, and not waited yet
  Registered,  // a waiter has registered, and not yet rechecked
  Parking,     // a waiter has rechecked and is about to sleep
  Committing,  // the commit's CAS succeeded, nothing released yet
  Released,    // everything is released, the attempt not ended yet
  Ended,       // the attempt has ended, nobody woken yet
  Undone,      // the log is replayed, nothing released yet
  Looked,      // an outside read has looked at the owner, and not yet read the value
  Kept,        // a reference went to limbo
  Watching,    // a retry has entered the watchers' table, nothing reverted yet
  Taken,       // a release took the watched bit, the watchers not looked up yet
  Peeked,      // an outside read has the value, and not yet rechecked
  Chosen,      // an outside read has rechecked it, and whoever called not yet counted it
  Spinning,    // somebody is about to look whether another attempt has ended
  TookToken,   // a candidate for irrevocable has taken the token, and not yet looked again
  BackingOff,  // who met contention is about to sleep
  Waking,      // a sleeper in retry() is about to be woken
};

#if defined(STMPY_SCHEDULE) && STMPY_SCHEDULE
extern thread_local void (*schedule_hook)(Step);
// Tests make it so long that a lost wake-up shows.
extern std::chrono::milliseconds signal_period;
// ... and decide what contention is.
extern std::chrono::microseconds contention_period;
inline void schedule(Step step) {
  if (schedule_hook) schedule_hook(step);
}
#else
inline void schedule(Step) {}
// How often a sleeping thread looks for signals that another thread's handler has only noted.
inline constexpr std::chrono::milliseconds signal_period{50};
// Conflicts of a thread that are not further apart mean that threads take turns at the same pairs.
inline constexpr std::chrono::microseconds contention_period{1000};
#endif

}  // namespace stmpy::core
