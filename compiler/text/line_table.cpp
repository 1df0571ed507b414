#include "text/line_table.h"

#include <algorithm>

namespace stmpy::compiler {

LineTable::LineTable(std::string_view text) : text_size_(static_cast<uint32_t>(text.size())) {
  starts_.push_back(0);
  for (uint32_t i = 0; i < text_size_; ++i) {
    if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == text_size_ || text[i + 1] != '\n'))) {
      starts_.push_back(i + 1);
    }
  }
}

Position LineTable::position(uint32_t offset) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), offset);
  const auto line = static_cast<uint32_t>(after - starts_.begin());
  return {line, offset - starts_[line - 1]};
}

uint32_t LineTable::offset(Position position) const {
  if (position.line == 0) return 0;
  if (position.line > line_count()) return text_size_;
  return std::min(starts_[position.line - 1] + position.column, text_size_);
}

uint32_t LineTable::character_column(std::string_view text, Position position) const {
  uint32_t characters = 0;
  for (const char byte : text.substr(offset({position.line, 0}), position.column)) {
    characters += (static_cast<uint8_t>(byte) & 0xc0) != 0x80;
  }
  return characters;
}

}  // namespace stmpy::compiler
