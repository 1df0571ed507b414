// `match`, `case`, `type` and `lazy` are names but where a statement can only begin with the keyword.

#pragma once

#include <string_view>
#include <vector>

#include "syntax/token.h"

namespace stmpy::compiler {

// Gives MATCH, CASE, TYPE and LAZY their types, so that the parser never has to guess.
void mark_soft_keywords(std::string_view source, std::vector<Token>& tokens);

}  // namespace stmpy::compiler
