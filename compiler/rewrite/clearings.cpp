#include "rewrite/clearings.h"

#include <map>
#include <string>

namespace stmpy::compiler {

namespace {

using Kind = InsertionPlace::Kind;

// `a = b = None` for each place of such a kind. It stands for nothing in the source: a place without extent.
template <class Insert>
void for_each_place(const std::vector<Clearing>& clearings, const BarrierNames& names, Kind kind,
                    Insert insert) {
  std::map<uint32_t, std::string> statements;
  for (const Clearing& clearing : clearings) {
    if (clearing.place.kind == kind)
      statements[clearing.place.offset] += names.temporary(clearing.temporary) + " = ";
  }
  for (const auto& [offset, targets] : statements) insert(offset, targets + "None");
}

Anchor no_extent(uint32_t offset) { return {offset, offset, offset}; }

}  // namespace

void insert_clearings_in_front(std::string_view source, const std::vector<Clearing>& clearings,
                               const BarrierNames& names, Edits& edits) {
  for_each_place(clearings, names, Kind::in_front, [&](uint32_t offset, const std::string& statement) {
    edits.insert(offset, statement + "; ", no_extent(offset));
  });
  for_each_place(clearings, names, Kind::line, [&](uint32_t offset, const std::string& statement) {
    const size_t line = source.find_last_of("\r\n", offset) + 1;
    // Inside of a block, lines are indented further than in the source: so is the one that follows ours.
    const std::string indentation =
        std::string(source.substr(line, offset - line)) + edits.inserted_at(offset);
    edits.insert(offset, statement + "\n" + indentation, no_extent(offset));
  });
}

void insert_clearings_behind(const std::vector<Clearing>& clearings, const BarrierNames& names,
                             Edits& edits) {
  for_each_place(clearings, names, Kind::behind, [&](uint32_t offset, const std::string& statement) {
    edits.insert(offset, "; " + statement, no_extent(offset));
  });
}

}  // namespace stmpy::compiler
