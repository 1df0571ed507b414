#include "syntax/token.h"

#include <algorithm>
#include <utility>

namespace stmpy::compiler {

TokenList::TokenList(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) tokens_[i].set_index(i);
}

antlr4::Token* TokenList::LT(ssize_t distance) {
  // ANTLR counts from 1 ahead and from -1 back; what lies behind the end is EOF again.
  const ssize_t at = static_cast<ssize_t>(index_) + (distance > 0 ? distance - 1 : distance);
  if (at < 0) return nullptr;
  return &tokens_[std::min(static_cast<size_t>(at), tokens_.size() - 1)];
}

}  // namespace stmpy::compiler
