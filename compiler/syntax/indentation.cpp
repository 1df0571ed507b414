#include "syntax/indentation.h"

#include "diagnostics/diagnostic.h"
#include "syntax/scanner.h"
#include "syntax/soft_keywords.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

// CPython measures twice, with tabs to the next multiple of eight and with tabs of one column, and refuses
// lines that the two measures order differently.
struct Width {
  uint32_t columns = 0;
  uint32_t alternative = 0;
};

constexpr size_t kDeepestIndentation = 100;  // CPython's own limit

// Of the line that begins at `at`. A line that is continued by a backslash has the width of its first part.
Width measure(std::string_view source, uint32_t at) {
  Width width;
  for (; at < source.size(); ++at) {
    switch (source[at]) {
      case ' ':
        ++width.columns;
        ++width.alternative;
        break;
      case '\t':
        width.columns = (width.columns / 8 + 1) * 8;
        ++width.alternative;
        break;
      case '\f':
        width = {};
        break;
      case '\\':
        // Only spaces before it: then the next line's first word decides (as in CPython, `cont_line_col`).
        if (width.columns != 0) return width;
        at += source.substr(at + 1).starts_with("\r\n") ? 2 : 1;
        break;
      default:
        return width;
    }
  }
  return width;
}

class Indentation {
 public:
  Indentation(std::string_view source, std::vector<Token>& tokens) : source_(source), tokens_(tokens) {}

  // Before the first token of a logical line that begins at `line_start`.
  void begin_line(uint32_t line_start, uint32_t token_start) {
    const Width width = measure(source_, line_start);
    if (width.columns == levels_.back().columns) {
      require(width.alternative == levels_.back().alternative, token_start);
      return;
    }
    if (width.columns > levels_.back().columns) {
      require(width.alternative > levels_.back().alternative, token_start);
      if (levels_.size() >= kDeepestIndentation) {
        throw Refusal(rules::nested_too_deep, token_start, "blocks are nested more than 100 deep");
      }
      levels_.push_back(width);
      tokens_.emplace_back(PythonLexer::INDENT, token_start, token_start);
      return;
    }
    while (width.columns < levels_.back().columns) {
      levels_.pop_back();
      tokens_.emplace_back(PythonLexer::DEDENT, token_start, token_start);
    }
    if (width.columns != levels_.back().columns) {
      throw Refusal(rules::unknown_syntax, token_start, "this indentation is that of no enclosing block");
    }
    require(width.alternative == levels_.back().alternative, token_start);
  }

  void end_file(uint32_t offset) {
    for (; levels_.size() > 1; levels_.pop_back()) tokens_.emplace_back(PythonLexer::DEDENT, offset, offset);
  }

 private:
  void require(bool consistent, uint32_t offset) const {
    if (!consistent)
      throw Refusal(rules::inconsistent_indentation, offset, "tabs and spaces are mixed inconsistently");
  }

  std::string_view source_;
  std::vector<Token>& tokens_;
  std::vector<Width> levels_{Width{}};
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  std::vector<Token> tokens;
  tokens.reserve(source.size() / 4 + 2);
  Scanner scanner(source);
  Indentation indentation(source, tokens);
  bool line_open = false;
  uint32_t line_start = 0;
  for (;;) {
    const Token token = scanner.next();
    if (token.getType() == antlr4::Token::EOF) {
      if (scanner.in_brackets())
        throw Refusal(rules::unknown_syntax, token.start(), "a bracket or string is not closed");
      if (line_open) tokens.emplace_back(PythonLexer::NEWLINE, token.start(), token.start());
      indentation.end_file(token.start());
      tokens.push_back(token);
      break;
    }
    if (token.getType() == PythonLexer::NEWLINE) {
      // Blank lines and lines of comments end nothing.
      if (line_open) tokens.push_back(token);
      line_open = false;
      line_start = token.end();
      continue;
    }
    if (!line_open) indentation.begin_line(line_start, token.start());
    line_open = true;
    tokens.push_back(token);
  }
  mark_soft_keywords(source, tokens);
  return tokens;
}

}  // namespace stmpy::compiler
