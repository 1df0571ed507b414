// Which form each access takes in the generated code: decided by measurement, written down in plan.cpp.

#pragma once

#include <string_view>

#include "analysis/atomic_code.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Fills in what becomes of the function's accesses. Without `holds` nothing is kept open over more than one.
void plan_accesses(std::string_view source, const TokenList& tokens, CompiledFunction& function, bool holds);

}  // namespace stmpy::compiler
