#include "syntax/selection.h"

#include <cstdint>
#include <unordered_set>

#include "PythonLexer.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

struct Statement {
  size_t start;
  size_t end;
};

// Whether a statement that begins with this token goes on with the one before: `else` and the like.
bool continues(size_t type) {
  return type == PythonLexer::ELSE || type == PythonLexer::ELIF || type == PythonLexer::EXCEPT ||
         type == PythonLexer::FINALLY;
}

std::vector<Statement> split(const std::vector<Token>& tokens) {
  std::vector<Statement> statements;
  size_t start = 0;
  size_t line = 0;
  int depth = 0;
  for (size_t i = 0; i + 1 < tokens.size(); ++i) {
    const size_t type = tokens[i].getType();
    if (type == PythonLexer::INDENT) ++depth;
    if (type == PythonLexer::DEDENT) --depth;
    const bool ends_line = type == PythonLexer::NEWLINE || type == PythonLexer::DEDENT;
    const size_t next = tokens[i + 1].getType();
    if (!ends_line || depth != 0 || next == PythonLexer::INDENT || continues(next)) continue;
    // A decorator's line is the beginning of what it decorates.
    const bool decorator = type == PythonLexer::NEWLINE && tokens[line].getType() == PythonLexer::AT;
    line = i + 1;
    if (decorator) continue;
    statements.push_back({start, i + 1});
    start = i + 1;
  }
  return statements;
}

// The names of stmpy in a module. A name too many costs time alone.
std::unordered_set<std::string_view> names_of_stmpy(std::string_view source,
                                                    const std::vector<Token>& tokens) {
  std::unordered_set<std::string_view> names{"stmpy"};
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].getType() != PythonLexer::NAME) continue;
    // `tx = atomic(timeout=1)`: who uses `tx` uses stmpy.
    const bool is_value = i >= 2 && tokens[i - 1].getType() == PythonLexer::EQUAL &&
                          tokens[i - 2].getType() == PythonLexer::NAME;
    if (is_value && names.contains(tokens[i].text(source))) names.insert(tokens[i - 2].text(source));
    if (tokens[i].text(source) != "stmpy") continue;
    for (size_t j = i + 1; tokens[j].getType() != PythonLexer::NEWLINE; ++j) {
      if (tokens[j].getType() == PythonLexer::NAME) names.insert(tokens[j].text(source));
      if (tokens[j].getType() == PythonLexer::STAR)
        names.insert({"atomic", "atomically", "compiled", "invariant"});
    }
  }
  return names;
}

bool is_import(size_t first_token_type) {
  return first_token_type == PythonLexer::IMPORT || first_token_type == PythonLexer::FROM ||
         first_token_type == PythonLexer::LAZY;
}

}  // namespace

std::vector<Token> select_statements(std::string_view source, const std::vector<Token>& tokens) {
  const auto names = names_of_stmpy(source, tokens);
  std::vector<Token> selected;
  for (const Statement& statement : split(tokens)) {
    bool wanted = is_import(tokens[statement.start].getType());
    for (size_t i = statement.start; i < statement.end && !wanted; ++i) {
      wanted = tokens[i].getType() == PythonLexer::NAME && names.contains(tokens[i].text(source));
    }
    if (!wanted) continue;
    selected.insert(selected.end(), tokens.begin() + static_cast<ptrdiff_t>(statement.start),
                    tokens.begin() + static_cast<ptrdiff_t>(statement.end));
  }
  selected.push_back(tokens.back());
  return selected;
}

}  // namespace stmpy::compiler
