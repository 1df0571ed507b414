// Statements that lines are added to: blocks that re-run, and where code goes on that may have swallowed an
// abort, behind a `with` and at each turn of a loop.

#pragma once

#include <vector>

#include "analysis/atomic_blocks.h"
#include "analysis/guards.h"
#include "rewrite/lines.h"

namespace stmpy::compiler {

// `blocks` are in the order of the source. Of edits at one place, these have to be made before those of
// expressions.
void rewrite_statements(Unit& unit, const std::vector<AtomicBlock>& blocks, const Guards& guards);

}  // namespace stmpy::compiler
