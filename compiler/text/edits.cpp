#include "text/edits.h"

#include <algorithm>

namespace stmpy::compiler {

std::string Edits::inserted_at(uint32_t at) const {
  std::string text;
  for (const Edit& edit : edits_) {
    if (edit.start == at && edit.end == at) text += edit.text;
  }
  return text;
}

Edits::Result Edits::apply(std::string_view source, const LineTable& lines) && {
  std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
    const bool a_replaces = a.end != a.start, b_replaces = b.end != b.start;
    return a.start != b.start ? a.start < b.start : a_replaces < b_replaces;
  });
  std::string text;
  text.reserve(source.size() + edits_.size() * 16);
  std::vector<Segment> segments;
  segments.reserve(edits_.size() * 2 + 1);
  uint32_t copied = 0;
  const auto copy_to = [&](uint32_t end) {
    if (end == copied) return;
    segments.push_back({Segment::Kind::copied, static_cast<uint32_t>(text.size()), copied, end, copied, end});
    text += source.substr(copied, end - copied);
    copied = end;
  };
  for (const Edit& edit : edits_) {
    copy_to(edit.start);
    if (!edit.text.empty()) {
      segments.push_back({Segment::Kind::inserted, static_cast<uint32_t>(text.size()), edit.anchor.start,
                          edit.anchor.end, edit.anchor.own_start,
                          edit.anchor.own_end != 0 ? edit.anchor.own_end : edit.anchor.end});
    }
    text += edit.text;
    copied = edit.end;
  }
  copy_to(static_cast<uint32_t>(source.size()));
  LineTable generated(text);
  return {std::move(text), PositionMap(lines, std::move(generated), std::move(segments))};
}

}  // namespace stmpy::compiler
