#include "syntax/soft_keywords.h"

#include "PythonLexer.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

bool starts_line(size_t previous) {
  return previous == PythonLexer::NEWLINE || previous == PythonLexer::INDENT ||
         previous == PythonLexer::DEDENT;
}

bool starts_statement(size_t previous) {
  return starts_line(previous) || previous == PythonLexer::SEMICOLON || previous == PythonLexer::COLON;
}

}  // namespace

void mark_soft_keywords(std::string_view source, std::vector<Token>& tokens) {
  std::vector<bool> in_match{false};  // for each open block, whether its statements are cases
  Token* match = nullptr;             // begins the current line and could be the keyword
  bool after_match = false;           // the last line was a match statement's head
  size_t previous = PythonLexer::NEWLINE;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    Token& token = tokens[i];
    const size_t type = token.getType();
    const size_t next = tokens[i + 1].getType();
    if (type == PythonLexer::NAME) {
      const std::string_view text = token.text(source);
      if (text == "match" && starts_line(previous)) {
        match = &token;
      } else if (text == "case" && in_match.back() && starts_line(previous)) {
        token.set_type(PythonLexer::CASE);
      } else if (text == "type" && next == PythonLexer::NAME && starts_statement(previous)) {
        token.set_type(PythonLexer::TYPE);
      } else if (text == "lazy" && (next == PythonLexer::IMPORT || next == PythonLexer::FROM) &&
                 starts_statement(previous)) {
        token.set_type(PythonLexer::LAZY);
      }
    } else if (type == PythonLexer::NEWLINE) {
      // No other statement that begins with a name ends in a colon.
      after_match = match != nullptr && previous == PythonLexer::COLON && next == PythonLexer::INDENT;
      if (after_match) match->set_type(PythonLexer::MATCH);
      match = nullptr;
    } else if (type == PythonLexer::INDENT) {
      in_match.push_back(after_match);
    } else if (type == PythonLexer::DEDENT) {
      in_match.pop_back();
    }
    previous = type;
  }
}

}  // namespace stmpy::compiler
