// The variables for which a function can hold payloads.

#pragma once

#include <set>
#include <string_view>

#include "analysis/flow.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Fast locals that nothing but the function's own statements can bind, where a statement can follow. None in
// a function that suspends (a payload must not outlive its transaction in a frame that sleeps), nor in one
// that looks at its own variables.
std::set<std::string_view> holdable_variables(std::string_view source, const TokenList& tokens,
                                              const CompiledFunction& function, const FlowGraph& graph);

// Whether a name has letters beyond ASCII: it may be another spelling of a variable, which Python normalises.
bool may_spell_variables_in_two_ways(std::string_view source, const TokenList& tokens,
                                     const CompiledFunction& function);

// The variables that are bound to literals and fresh containers alone: what they name is no STMObject.
std::set<std::string_view> fresh_variables(const CompiledFunction& function, const FlowGraph& graph);

}  // namespace stmpy::compiler
