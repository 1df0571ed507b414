// Variables that need not be put back before a block runs again: nobody can see what they were.

#pragma once

#include <string_view>

#include "analysis/atomic_blocks.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Whether the block, running again, certainly binds this local variable of its function before anything reads
// it: in the block, and behind it however the block was left.
bool is_bound_first(std::string_view source, const TokenList& tokens, const AtomicBlock& block,
                    std::string_view name);

}  // namespace stmpy::compiler
