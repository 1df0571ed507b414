#include "rewrite/accesses.h"

#include <algorithm>

namespace stmpy::compiler {

namespace {

// What the access's generated code stands for.
Anchor anchor_of(const Access& access, const LineTable& lines) {
  const bool one_line = lines.position(access.base_start).line == lines.position(access.name_end).line;
  return {access.base_start, access.name_end, one_line ? access.base_start : access.name_start};
}

std::string quoted(const Access& access) { return access.quote + access.attribute + access.quote; }

// `o.x` to `barrier(o, "x")`. Space, comments and line ends between the parts stay where they are.
void rewrite_load(const Access& access, Anchor anchor, const std::string& barrier, Edits& edits) {
  edits.insert(access.base_start, barrier + "(", anchor);
  edits.replace(access.dot, access.dot + 1, ", ", anchor);
  edits.replace(access.name_start, access.name_end, quoted(access) + ")", anchor);
}

// `o.x` to `barrier(o, "x").x`.
void rewrite_open(const Access& access, Anchor anchor, const std::string& barrier, Edits& edits) {
  edits.insert(access.base_start, barrier + "(", anchor);
  edits.insert(access.dot, ", " + quoted(access) + ")", anchor);
}

// `o.x` to `(t := barrier(o, "x")).x`.
void rewrite_keep(const Access& access, Anchor anchor, const std::string& barrier,
                  const std::string& temporary, Edits& edits) {
  edits.insert(access.base_start, "(" + temporary + " := " + barrier + "(", anchor);
  edits.insert(access.dot, ", " + quoted(access) + "))", anchor);
}

// `o.x` to `((t := barrier(o, "x")) if t is None else t).x`.
void rewrite_first_turn(const Access& access, Anchor anchor, const std::string& barrier,
                        const std::string& temporary, Edits& edits) {
  edits.insert(access.base_start, "((" + temporary + " := " + barrier + "(", anchor);
  edits.insert(access.dot, ", " + quoted(access) + ")) if " + temporary + " is None else " + temporary + ")",
               anchor);
}

// `o.x` to `t.x`.
void rewrite_reuse(const Access& access, const std::string& temporary, Edits& edits) {
  const auto end = static_cast<uint32_t>(access.base_start + access.variable.size());
  edits.replace(access.base_start, end, temporary, {access.base_start, end, access.base_start});
}

// `o.x += n` to `barrier(o, "x", n)`.
void rewrite_in_place(std::string_view source, const Access& access, Anchor anchor, BarrierNames& names,
                      Edits& edits) {
  const std::string barrier = names.use(barrier_of(source, access));
  const Anchor statement{anchor.start, access.operand_end, anchor.start};
  const std::string_view gap = source.substr(access.name_end, access.operator_start - access.name_end);
  const bool only_spaces = gap.find_first_not_of(' ') == std::string_view::npos;
  edits.insert(access.base_start, barrier + "(", statement);
  edits.replace(access.dot, access.dot + 1, ", ", statement);
  edits.replace(access.name_start, access.name_end, quoted(access), statement);
  edits.replace(only_spaces ? access.name_end : access.operator_start, access.operator_end, ",", statement);
  edits.insert(access.operand_end, ")", statement);
}

}  // namespace

void rewrite_accesses(std::string_view source, const LineTable& lines, std::vector<Access> accesses,
                      BarrierNames& names, Edits& edits) {
  // Of the accesses that begin at one place, as `o.a` and `o.a.b` do, the longer is the outer call.
  std::sort(accesses.begin(), accesses.end(), [](const Access& a, const Access& b) {
    return a.base_start != b.base_start ? a.base_start < b.base_start : a.dot > b.dot;
  });
  for (const Access& access : accesses) {
    const Anchor anchor = anchor_of(access, lines);
    switch (access.form) {
      case Form::plain:
        break;
      case Form::load:
        rewrite_load(access, anchor, names.use(barrier_of(source, access)), edits);
        break;
      case Form::in_place:
        rewrite_in_place(source, access, anchor, names, edits);
        break;
      case Form::open:
        rewrite_open(access, anchor, names.use(barrier_of(source, access)), edits);
        break;
      case Form::keep:
        rewrite_keep(access, anchor, names.use(barrier_of(source, access)), names.temporary(access.temporary),
                     edits);
        break;
      case Form::first_turn:
        rewrite_first_turn(access, anchor, names.use(barrier_of(source, access)),
                           names.temporary(access.temporary), edits);
        break;
      case Form::reuse:
        rewrite_reuse(access, names.temporary(access.temporary), edits);
        break;
    }
  }
}

}  // namespace stmpy::compiler
