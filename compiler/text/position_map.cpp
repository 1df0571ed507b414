#include "text/position_map.h"

#include <algorithm>
#include <utility>

namespace stmpy::compiler {

PositionMap::PositionMap(LineTable source, LineTable generated, std::vector<Segment> segments)
    : source_(std::move(source)), generated_(std::move(generated)), segments_(std::move(segments)) {}

// The last segment that starts at or before the offset: empty segments are never found.
const Segment* PositionMap::starting_at(uint32_t generated_offset) const {
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), generated_offset,
      [](uint32_t offset, const Segment& segment) { return offset < segment.generated_start; });
  return after == segments_.begin() ? nullptr : &*(after - 1);
}

// The byte before the end is the last one of the range: its segment is the one the range ends in.
const Segment* PositionMap::ending_at(uint32_t generated_offset) const {
  return starting_at(generated_offset == 0 ? 0 : generated_offset - 1);
}

Range PositionMap::to_source(Range generated) const {
  const Segment* start = starting_at(generated_.offset(generated.start));
  const Segment* end = ending_at(generated_.offset(generated.end));
  const bool of_one_thing = start != nullptr && end != nullptr && start->kind == Segment::Kind::inserted &&
                            end->kind == Segment::Kind::inserted && start->own_start == end->own_start &&
                            start->own_end == end->own_end;
  if (of_one_thing) return {source_.position(start->own_start), source_.position(start->own_end)};
  return {to_source_start(generated.start), to_source_end(generated.end)};
}

Position PositionMap::to_source_start(Position generated) const {
  const uint32_t offset = generated_.offset(generated);
  const Segment* segment = starting_at(offset);
  if (segment == nullptr) return generated;
  if (segment->kind == Segment::Kind::inserted) return source_.position(segment->source_start);
  return source_.position(segment->source_start + (offset - segment->generated_start));
}

Position PositionMap::to_source_end(Position generated) const {
  const uint32_t offset = generated_.offset(generated);
  const Segment* segment = ending_at(offset);
  if (segment == nullptr) return generated;
  if (segment->kind == Segment::Kind::inserted) return source_.position(segment->source_end);
  return source_.position(segment->source_start + (offset - segment->generated_start));
}

uint32_t PositionMap::to_source_line(uint32_t generated_line) const {
  if (generated_line == 0 || generated_line > generated_.line_count()) return generated_line;
  return to_source_start({generated_line, 0}).line;
}

}  // namespace stmpy::compiler
