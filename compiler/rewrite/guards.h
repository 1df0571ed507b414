// Guards in expressions, which stop an abort where it would be swallowed: what a handler is matched with, and
// what leaves a `finally`.

#pragma once

#include "analysis/guards.h"
#include "rewrite/lines.h"

namespace stmpy::compiler {

// Of edits at one place, these have to be made before those of the expressions that they enclose.
void rewrite_guards(Unit& unit, const Guards& guards);

}  // namespace stmpy::compiler
