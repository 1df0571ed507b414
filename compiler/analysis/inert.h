// What evaluating an expression can do besides giving its value.

#pragma once

#include <string_view>

#include "analysis/scopes.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Whether evaluating `node` before the target is loaded, instead of after, cannot be noticed: a literal, or a
// parameter of the function `scope` that is always bound and no other code can rebind.
bool is_inert(std::string_view source, const TokenList& tokens, const Scope& scope, const Node& node);

// Whether a `yield` or an `await` stands in it, if only in a function inside.
bool may_suspend(const TokenList& tokens, const Node& node);

}  // namespace stmpy::compiler
