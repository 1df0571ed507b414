// One word after the other: brackets, and what is code and what is text inside of formatted strings.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "syntax/lexer_automaton.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Only under the AntlrLock. Line ends inside of brackets, space and comments are left out. Throws Refusal.
class Scanner {
 public:
  explicit Scanner(std::string_view source) : source_(source), automaton_(source) {}

  // EOF again and again at the end.
  Token next();

  bool in_brackets() const { return !nesting_.empty(); }

 private:
  enum class Nest : uint8_t {
    bracket,
    string,       // text of a formatted string
    replacement,  // code in one of its replacement fields, not inside of further brackets
    format,       // the field's format specification
  };

  struct Level {
    Nest nest;
    char closing;      // of a bracket or replacement field
    size_t text_mode;  // the lexer's modes for the enclosing formatted string
    size_t format_mode;
    bool raw;
  };

  size_t mode() const;
  Word classify(Word word, uint32_t start);
  void open_string(std::string_view start_text);
  void open(char closing, uint32_t offset);
  void close(uint32_t offset);
  void push(const Level& level, uint32_t offset);

  std::string_view source_;
  LexerAutomaton automaton_;
  std::vector<Level> nesting_;
  uint32_t offset_ = 0;
};

}  // namespace stmpy::compiler
