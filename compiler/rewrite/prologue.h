// Where a module can take a line of ours.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "syntax/token.h"

namespace stmpy::compiler {

// The start of the first statement behind the docstring and the `from __future__` imports.
uint32_t prologue_offset(std::string_view source, const std::vector<Token>& tokens);

}  // namespace stmpy::compiler
