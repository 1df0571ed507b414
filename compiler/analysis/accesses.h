// The attribute uses of a compiled function, with their contexts.

#pragma once

#include <string_view>

#include "analysis/atomic_code.h"
#include "analysis/scopes.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Fills in the accesses of the function's own code: its body, with the lambdas and comprehensions in it, and
// the decorators and defaults of the functions defined in it, but not those functions' bodies. Of a module:
// what is compiled of its lambdas and comprehensions outside of functions.
void collect_accesses(std::string_view source, const TokenList& tokens, const Scopes& scopes,
                      CompiledFunction& function);

}  // namespace stmpy::compiler
