// From tokens to the parse tree.

#pragma once

#include <memory>
#include <vector>

#include "PythonParser.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Owns the tree, its tokens and the parser that made it.
class SyntaxTree {
 public:
  // Only under the AntlrLock and on the deep stack. Throws Refusal.
  explicit SyntaxTree(std::vector<Token> tokens);

  const grammar::PythonParser::FileContext& file() const { return *file_; }
  const TokenList& tokens() const { return tokens_; }

 private:
  TokenList tokens_;
  std::unique_ptr<grammar::PythonParser> parser_;
  grammar::PythonParser::FileContext* file_;
};

}  // namespace stmpy::compiler
