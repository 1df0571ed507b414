// When a reference that other threads may be looking at may be given back.
//
// A thread that looks at what another one owns (an outside read, the view of the access map) is an *observer*
// for a few instructions, in which no code of the user's runs. A reference that was taken out of its place
// while somebody observes goes to limbo, and is released by whoever first sees that those who observed then
// have finished. With the GIL there is nothing to wait for.
#pragma once

#include "runtime/core/atomics.h"

namespace stmpy::core {

class Descriptor;

// Releases the reference (host.release: any code may run), now or when no observer can have it any more.
void reclaim_reference(void* reference);
// The same for memory from malloc. Runs no code of the user's.
void reclaim_memory(void* memory);
// Called behind the store that takes references out of reach; true if they can be released at once.
bool nobody_observes();

class Observer {
 public:
  explicit Observer(const Descriptor& self);
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // Behind the end of an observation, where code of the user's may run: releases what observers had kept in
  // limbo.
  static void empty_limbo();

 private:
  std::atomic<std::uint32_t>* counter_ = nullptr;
};

// In the child after a fork: locks anew, no observers.
void reset_observers_after_fork();

}  // namespace stmpy::core
