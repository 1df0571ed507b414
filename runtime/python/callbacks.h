// `on_commit` and `on_abort`: calls that wait for the end of the attempt (protocol, sections 5 and 6).
//
// Registered in a part of the transaction that is taken back while the rest goes on (a nested call), an
// `on_commit` is gone, and an `on_abort` runs at the end of the attempt, whatever that is: what it does would
// else be part of a transaction, and taken back with it.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

extern PyMethodDef callback_methods[];

// Those whose time has come, each let go as soon as it has run. Outside of transactions, no exception set.
// False with an exception: behind a commit what they raised, behind an abort only what must not be lost
// (KeyboardInterrupt, SystemExit).
bool run_callbacks(std::deque<Callback>& callbacks, bool committed);

}  // namespace stmpy
