// What the core asks of the language above it. Set once, before the first transaction.
#pragma once

namespace stmpy::core {

struct Host {
  // Leaves and re-enters the language's lock around a wait. `attach` may never return (a daemon thread at
  // shutdown stays there), so neither is called with a lock of the core held.
  void* (*detach)();
  void (*attach)(void* token);
  // Runs pending signal handlers (any code); true if one of them raised, which ends the wait.
  bool (*interrupted)();
  // Whether this thread runs signal handlers, and has to look for them while it waits.
  bool (*handles_signals)();
  // No other thread will ever run again (at interpreter shutdown).
  bool (*is_alone)();
  // Counts one more reference; runs no code of the user's.
  void (*retain)(void* reference);
  // Gives a reference back: may run any code, so it is called only behind the end of an attempt or of a
  // savepoint.
  void (*release)(void* reference);
  // Whether nothing that the object stands for can change while it stays the same object. Runs no code of the
  // user's.
  bool (*is_constant)(void* reference);
};

extern Host host;

}  // namespace stmpy::core
