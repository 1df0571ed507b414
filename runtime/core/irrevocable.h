// Irrevocable attempts (protocol, section 10): at most one at a time, never aborted. For what cannot be taken
// back.
//
// Who has the one token begins its attempt with it. A candidate asks between two attempts, holding nothing,
// and gets it once no call in progress is older; then it is made older than all that come, so that every rule
// about seniors holds for it as it stands.
#pragma once

#include "runtime/core/descriptor.h"

namespace stmpy::core {

// The age of who has the token; others draw larger ones.
inline constexpr std::uint64_t kOldest = 1;

// Waits for the token and takes it. Ended: it is ours, and an attempt begins at once. Interrupted or
// TimedOut: it is not.
Wait take_token(Descriptor& self);
// ACTIVE -> IRREVOCABLE, behind begin(). The token is given back at the end of the attempt, whatever that is.
void become_irrevocable(Descriptor& self);
void give_back_token(Descriptor& self);

inline bool is_irrevocable(const Descriptor& self) { return self.state().state() == State::Irrevocable; }

// The end of a call: no candidate waits for it any more.
inline void forget_age(Descriptor& self) {
  if (self.age.load(std::memory_order_relaxed) != 0) self.age.store(0, kRelease);
}

}  // namespace stmpy::core
