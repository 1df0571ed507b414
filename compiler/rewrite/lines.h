// What the parts that add lines to a text share.

#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "rewrite/barriers.h"
#include "syntax/tree.h"
#include "text/edits.h"

namespace stmpy::compiler {

// The source, and where its changes go.
struct Unit {
  std::string_view source;
  const LineTable& lines;
  const TokenList& tokens;
  BarrierNames& names;
  Edits& edits;
};

std::string join(std::initializer_list<std::string_view> parts);

// What stands in front of the first word of a line.
std::string_view indentation_at(std::string_view source, uint32_t offset);

// Where a compound statement or a clause ends, without its line's end and comment.
uint32_t end_of_code(const Unit& unit, const Node& node);

// Lines behind a compound statement's last one. `text` begins with a line end.
void insert_behind(Unit& unit, const Node& statement, std::string_view text, Anchor anchor);

}  // namespace stmpy::compiler
