// From words to the tokens of the parser: logical lines, INDENT and DEDENT, soft keywords.

#pragma once

#include <string_view>
#include <vector>

#include "syntax/token.h"

namespace stmpy::compiler {

// The whole source's tokens, EOF last. Only under the AntlrLock. Throws Refusal.
std::vector<Token> tokenize(std::string_view source);

}  // namespace stmpy::compiler
