#include "rewrite/prologue.h"

#include "PythonLexer.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

// The token behind the logical line that begins at `at`.
size_t next_line(const std::vector<Token>& tokens, size_t at) {
  while (tokens[at].getType() != PythonLexer::NEWLINE && tokens[at].getType() != antlr4::Token::EOF) ++at;
  return tokens[at].getType() == PythonLexer::NEWLINE ? at + 1 : at;
}

bool is_docstring(const std::vector<Token>& tokens, size_t at) {
  while (tokens[at].getType() == PythonLexer::OPEN_PAREN) ++at;
  return tokens[at].getType() == PythonLexer::STRING;
}

bool is_future_import(std::string_view source, const std::vector<Token>& tokens, size_t at) {
  return tokens[at].getType() == PythonLexer::FROM && tokens[at + 1].text(source) == "__future__";
}

}  // namespace

uint32_t prologue_offset(std::string_view source, const std::vector<Token>& tokens) {
  size_t at = 0;
  if (is_docstring(tokens, at)) at = next_line(tokens, at);
  while (is_future_import(source, tokens, at)) at = next_line(tokens, at);
  return tokens[at].start();
}

}  // namespace stmpy::compiler
