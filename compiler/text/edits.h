// Changes to a text, and what comes of them: the new text with the map back.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/position_map.h"

namespace stmpy::compiler {

// The range of the source that inserted text stands for.
struct Anchor {
  uint32_t start;
  uint32_t end;
  uint32_t own_start;    // see Segment
  uint32_t own_end = 0;  // 0: the same as `end`
};

class Edits {
 public:
  // Of several insertions at one place the first one added comes first; they come before what replaces the
  // text there.
  void insert(uint32_t at, std::string text, Anchor anchor) { replace(at, at, std::move(text), anchor); }

  // Replaced ranges never overlap.
  void replace(uint32_t start, uint32_t end, std::string text, Anchor anchor) {
    edits_.push_back({start, end, std::move(text), anchor});
  }

  // The text that has been inserted there so far.
  std::string inserted_at(uint32_t at) const;

  bool empty() const { return edits_.empty(); }

  struct Result {
    std::string text;
    PositionMap map;
  };
  Result apply(std::string_view source, const LineTable& lines) &&;

 private:
  struct Edit {
    uint32_t start;
    uint32_t end;
    std::string text;
    Anchor anchor;
  };

  std::vector<Edit> edits_;
};

}  // namespace stmpy::compiler
