// Where code could swallow the AbortTransaction that unwinds it, and goes on as if nothing were.

#pragma once

#include <string_view>
#include <vector>

#include "analysis/scopes.h"

namespace stmpy::compiler {

struct Guards {
  std::vector<const Node*> handlers;  // except clauses that could catch it and not end in a `raise`
  std::vector<const Node*> returns;   // from a `finally`
  std::vector<const Token*> jumps;    // `break` and `continue` out of a `finally`
  std::vector<const Node*> withs;     // statements whose managers' __exit__ could return true
  std::vector<const Node*> loops;     // for and while statements that call what could swallow it each time
};

// Adds those of a function's own code, of which `body` is the block.
void collect_guards(std::string_view source, const Scopes& scopes, const Scope& scope, const Node& body,
                    Guards& guards);

}  // namespace stmpy::compiler
