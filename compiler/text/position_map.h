// From places in the generated text back to the places in the user's source they stand for.

#pragma once

#include <cstdint>
#include <vector>

#include "text/line_table.h"

namespace stmpy::compiler {

struct Range {
  Position start;
  Position end;

  friend bool operator==(const Range&, const Range&) = default;
};

// A run of the generated text, ending where the next segment begins.
//
// *Copied* text is the source's own, byte for byte: every place in it maps linearly. *Inserted* text stands
// for a whole range of the source: a range of generated code that starts in it starts at that range's start,
// one that ends in it ends at that range's end. So the call `_stm_load(src, "balance")` is exactly
// `src.balance`.
struct Segment {
  enum class Kind : uint8_t { copied, inserted };

  Kind kind;
  uint32_t generated_start;
  uint32_t source_start;
  uint32_t source_end;
  // Of inserted text: the range of one that both starts and ends in text inserted for one thing. CPython
  // places an attribute that is on another line than its object at its name, but not what the attribute is a
  // part of; and what surrounds a block is placed where the block begins.
  uint32_t own_start;
  uint32_t own_end;
};

// Immutable after construction: any number of threads may read it.
class PositionMap {
 public:
  // `segments` are in the order of the generated text, without gaps, the first one at offset 0.
  PositionMap(LineTable source, LineTable generated, std::vector<Segment> segments);

  // The source's range for one of generated code that is not empty.
  Range to_source(Range generated) const;

  // The source's place for one where a range of generated code starts: between two segments, the later one
  // decides.
  Position to_source_start(Position generated) const;

  // The source's place for one where a range of generated code ends: between two segments, the earlier one
  // decides.
  Position to_source_end(Position generated) const;

  // For entries that have a line but no columns. Lines that no text has (0 is a module's) stay as they are.
  uint32_t to_source_line(uint32_t generated_line) const;

 private:
  const Segment* starting_at(uint32_t generated_offset) const;
  const Segment* ending_at(uint32_t generated_offset) const;

  LineTable source_;
  LineTable generated_;
  std::vector<Segment> segments_;
};

}  // namespace stmpy::compiler
