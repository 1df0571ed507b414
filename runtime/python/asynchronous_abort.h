// How a doomed attempt is told that runs without barriers, in a loop over what it holds: AbortTransaction is
// raised in its thread between two of its instructions (protocol, section 3).
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// Called by any thread. Does nothing where the attempt has ended.
void abort_asynchronously(const core::Attempt& doomed);

// Behind the end of an attempt, by its own thread: what was sent and did not arrive must not reach the next
// one.
void take_back_asynchronous_abort(Thread& thread);

}  // namespace stmpy
