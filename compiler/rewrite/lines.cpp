#include "rewrite/lines.h"

namespace stmpy::compiler {

std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string_view indentation_at(std::string_view source, uint32_t offset) {
  const std::string_view before = source.substr(0, offset);
  const size_t line_end = before.find_last_of("\r\n");
  return line_end == std::string_view::npos ? before : before.substr(line_end + 1);
}

namespace {

const Token& token_at(const Unit& unit, size_t index) {
  return static_cast<const Token&>(*unit.tokens.get(index));
}

size_t last_newline(const Unit& unit, const Node& node) {
  size_t index = last_token(node).getTokenIndex();
  while (token_at(unit, index).getType() != Rules::NEWLINE) --index;
  return index;
}

}  // namespace

uint32_t end_of_code(const Unit& unit, const Node& node) {
  return token_at(unit, last_newline(unit, node) - 1).end();
}

void insert_behind(Unit& unit, const Node& statement, std::string_view text, Anchor anchor) {
  const Token& newline = token_at(unit, last_newline(unit, statement));
  // Where the file ends without a line end, the token is empty.
  const bool at_end_of_file = newline.start() == newline.end();
  anchor.end = end_of_code(unit, statement);
  unit.edits.insert(newline.end(), at_end_of_file ? std::string(text) : join({text.substr(1), "\n"}), anchor);
}

}  // namespace stmpy::compiler
