// Where the lines of a text begin, as CPython counts them: "\n", "\r\n" and a lone "\r" each end one.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace stmpy::compiler {

// A place as CPython's code objects name it: line from 1, column in UTF-8 bytes from 0.
struct Position {
  uint32_t line = 1;
  uint32_t column = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

class LineTable {
 public:
  explicit LineTable(std::string_view text);

  Position position(uint32_t offset) const;

  // The byte a position names. Places beyond the text's end are the end; a column beyond its line's end
  // counts on into the following lines.
  uint32_t offset(Position position) const;

  // A place's column as Python's strings count it, in characters. `text` is the table's.
  uint32_t character_column(std::string_view text, Position position) const;

  uint32_t line_count() const { return static_cast<uint32_t>(starts_.size()); }
  uint32_t text_size() const { return text_size_; }

 private:
  std::vector<uint32_t> starts_;  // of line i + 1; never empty
  uint32_t text_size_;
};

}  // namespace stmpy::compiler
