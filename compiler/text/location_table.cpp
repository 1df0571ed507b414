#include "text/location_table.h"

#include <optional>
#include <stdexcept>
#include <utility>

namespace stmpy::compiler {
namespace {

constexpr uint32_t first_known_version = 0x030B0000;
constexpr uint32_t first_unknown_version = 0x03100000;

enum Form : uint8_t {
  short_last = 9,  // 0 to 9: one line, the same as before; the form itself is part of the column
  one_line_first = 10,
  one_line_last = 12,
  no_columns = 13,
  long_form = 14,
  no_location = 15,
};

constexpr int32_t no_column = -1;

struct Location {
  int32_t line;
  int32_t end_line;
  int32_t column;
  int32_t end_column;

  bool has_columns() const { return column >= 0 && end_column >= 0; }
  bool is_empty() const { return line == end_line && column == end_column; }
  friend bool operator==(const Location&, const Location&) = default;
};

class Reader {
 public:
  Reader(std::string_view table, int32_t first_line) : table_(table), line_(first_line) {}

  bool at_end() const { return next_ == table_.size(); }

  // The entry's length in its form byte's own encoding, which is carried over as it is.
  uint8_t length_bits() const { return static_cast<uint8_t>(table_[next_]) & 7; }

  // Nothing for instructions that belong to no place.
  std::optional<Location> read() {
    const uint8_t form = (byte() >> 3) & 15;
    if (form == no_location) return std::nullopt;
    if (form <= short_last) {
      const uint8_t columns = byte();
      const int32_t column = (form << 3) | (columns >> 4);
      return Location{line_, line_, column, column + (columns & 15)};
    }
    if (form <= one_line_last) {
      line_ += form - one_line_first;
      const int32_t column = byte();
      return Location{line_, line_, column, byte()};
    }
    line_ += signed_varint();
    if (form == no_columns) return Location{line_, line_, no_column, no_column};
    const int32_t end_line = line_ + static_cast<int32_t>(varint());
    const int32_t column = static_cast<int32_t>(varint()) - 1;
    return Location{line_, end_line, column, static_cast<int32_t>(varint()) - 1};
  }

 private:
  uint8_t byte() {
    if (at_end()) throw std::invalid_argument("location table is cut short");
    return static_cast<uint8_t>(table_[next_++]);
  }

  uint32_t varint() {
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 6) {
      const uint8_t chunk = byte();
      value |= static_cast<uint32_t>(chunk & 63) << shift;
      if ((chunk & 64) == 0) return value;
    }
    throw std::invalid_argument("location table holds a number that is too large");
  }

  int32_t signed_varint() {
    const uint32_t value = varint();
    const auto magnitude = static_cast<int32_t>(value >> 1);
    return (value & 1) != 0 ? -magnitude : magnitude;
  }

  std::string_view table_;
  size_t next_ = 0;
  int32_t line_;
};

// Chooses the forms as CPython's assembler does (write_location_info_entry in Python/assemble.c).
class Writer {
 public:
  Writer(size_t expected_size, int32_t first_line) : line_(first_line) { table_.reserve(expected_size); }

  void write(uint8_t length_bits, const std::optional<Location>& location) {
    if (!location) {
      form(no_location, length_bits);
      return;
    }
    const int32_t delta = location->line - line_;
    line_ = location->line;
    const int32_t column = location->column;
    const int32_t end_column = location->end_column;
    if (location->line == location->end_line) {
      if (!location->has_columns()) {
        form(no_columns, length_bits);
        signed_varint(delta);
        return;
      }
      if (delta == 0 && column < 80 && end_column >= column && end_column - column < 16) {
        form(static_cast<uint8_t>(column >> 3), length_bits);
        byte(static_cast<uint8_t>((column & 7) << 4 | (end_column - column)));
        return;
      }
      if (delta >= 0 && delta < 3 && column < 128 && end_column < 128) {
        form(static_cast<uint8_t>(one_line_first + delta), length_bits);
        byte(static_cast<uint8_t>(column));
        byte(static_cast<uint8_t>(end_column));
        return;
      }
    }
    form(long_form, length_bits);
    signed_varint(delta);
    varint(static_cast<uint32_t>(location->end_line - location->line));
    varint(static_cast<uint32_t>(column + 1));
    varint(static_cast<uint32_t>(end_column + 1));
  }

  std::string take() { return std::move(table_); }

 private:
  void byte(uint8_t value) { table_.push_back(static_cast<char>(value)); }

  void form(uint8_t code, uint8_t length_bits) { byte(static_cast<uint8_t>(128 | code << 3 | length_bits)); }

  void varint(uint32_t value) {
    for (; value >= 64; value >>= 6) byte(static_cast<uint8_t>(64 | (value & 63)));
    byte(static_cast<uint8_t>(value));
  }

  void signed_varint(int32_t value) {
    varint(value < 0 ? (static_cast<uint32_t>(-value) << 1) | 1 : static_cast<uint32_t>(value) << 1);
  }

  std::string table_;
  int32_t line_;
};

Position position(int32_t line, int32_t column) {
  return {static_cast<uint32_t>(line), static_cast<uint32_t>(column)};
}

int32_t source_line(int32_t line, const PositionMap& map) {
  return static_cast<int32_t>(map.to_source_line(static_cast<uint32_t>(line)));
}

Location to_source(const Location& generated, const PositionMap& map) {
  // A module's first instruction is on line 0, which stands for no place in the text.
  if (generated.line <= 0) return generated;
  if (!generated.has_columns()) {
    return {source_line(generated.line, map), source_line(generated.end_line, map), no_column, no_column};
  }
  const Position generated_start = position(generated.line, generated.column);
  const Position only = map.to_source_start(generated_start);
  const auto [start, end] =
      generated.is_empty()
          ? Range{only, only}
          : map.to_source({generated_start, position(generated.end_line, generated.end_column)});
  return {static_cast<int32_t>(start.line), static_cast<int32_t>(end.line),
          static_cast<int32_t>(start.column), static_cast<int32_t>(end.column)};
}

}  // namespace

CodeLocations remap_location_table(std::string_view table, uint32_t first_line, uint32_t python_version,
                                   const PositionMap& map) {
  if (python_version < first_known_version || python_version >= first_unknown_version) {
    throw std::invalid_argument("the location tables of this version of CPython are not known");
  }
  const uint32_t source_first_line = map.to_source_line(first_line);
  Reader reader(table, static_cast<int32_t>(first_line));
  Writer writer(table.size(), static_cast<int32_t>(source_first_line));
  std::optional<Location> generated;
  std::optional<Location> source;
  while (!reader.at_end()) {
    const uint8_t length_bits = reader.length_bits();
    const std::optional<Location> location = reader.read();
    // Neighbouring instructions often come from one expression: its place is looked up once.
    if (location && location != generated) {
      generated = location;
      source = to_source(*location, map);
    }
    writer.write(length_bits, location ? source : std::nullopt);
  }
  return {writer.take(), source_first_line};
}

}  // namespace stmpy::compiler
