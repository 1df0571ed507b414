// Which form each access takes in the generated code: decided by measurement, written down here.
//
// A load is one call. A store, a deletion and an augmented assignment open the object and then do what is
// written, on what the barrier returns. An augmented assignment whose right side is inert is one call that
// does it all.

#pragma once

#include <string_view>

#include "analysis/access.h"
#include "analysis/scopes.h"
#include "syntax/token.h"

namespace stmpy::compiler {

Plan plan_of(AccessKind kind);

// Whether evaluating `node` before the target is loaded, instead of after, cannot be noticed: a literal, or a
// parameter of the function `scope` that is always bound and no other code can rebind.
bool is_inert(std::string_view source, const TokenList& tokens, const Scope& scope, const Node& node);

}  // namespace stmpy::compiler
