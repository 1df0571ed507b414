// Which of a module's statements the parser has to see: lexing is much faster than parsing.

#pragma once

#include <string_view>
#include <vector>

#include "syntax/token.h"

namespace stmpy::compiler {

// The tokens of the top-level statements that can hold atomic code or change what its names mean: those that
// mention stmpy or a name imported from it, and all imports. Statements keep their order; EOF is last.
std::vector<Token> select_statements(std::string_view source, const std::vector<Token>& tokens);

}  // namespace stmpy::compiler
