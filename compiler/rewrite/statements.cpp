#include "rewrite/statements.h"

#include <map>

#include "rewrite/block.h"

namespace stmpy::compiler {

namespace {

// What is done to one statement.
struct Change {
  const Node* statement = nullptr;
  const AtomicBlock* block = nullptr;
  bool checks_behind = false;     // a with statement
  bool checks_each_turn = false;  // a loop
};

// By where they begin, so that what is around comes before what is inside.
using Changes = std::map<uint32_t, Change>;

Changes changes_of(const std::vector<AtomicBlock>& blocks, const Guards& guards) {
  Changes changes;
  const auto change = [&](const Node& statement) -> Change& {
    Change& found = changes[start_of(statement)];
    found.statement = &statement;
    return found;
  };
  for (const AtomicBlock& block : blocks) change(*block.statement).block = &block;
  for (const Node* statement : guards.withs) change(*statement).checks_behind = true;
  for (const Node* statement : guards.loops) change(*statement).checks_each_turn = true;
  return changes;
}

size_t shift_in(const BlockRewriter* around) { return around != nullptr ? around->body_shift() : 0; }

std::string checkpoint(Unit& unit) { return unit.names.use("checkpoint") + "(None)"; }

// Who swallowed an exception in a `with` goes on behind it: at the place of the first item, where Python
// calls its __exit__.
void check_behind(Unit& unit, const Node& statement, const BlockRewriter* around) {
  const uint32_t item = items_of(statement).items.front().start();
  // `async with` begins with the other word.
  const bool is_async = rule_of(*statement.parent) == Rules::RuleAsync_statement;
  const std::string_view indentation =
      indentation_at(unit.source, start_of(is_async ? *statement.parent : statement));
  const std::string line = join({"\n", indentation, std::string(shift_in(around), ' '), checkpoint(unit)});
  insert_behind(unit, statement, line, {item, item, item, item});
}

// Where an expression's first instruction is: brackets that only group have none, nor has a `not`.
uint32_t first_place_in(const Node& expression) {
  const Node* node = &expression;
  while (token_of(*node) == nullptr) {
    const auto& children = node->children;
    const bool is_primary = rule_of(*node) == Rules::RulePrimary;
    const bool groups = is_primary && token_type(*children[0]) == Rules::OPEN_PAREN &&
                        rule_of(*children[1]) == Rules::RuleElements && children[1]->children.size() == 1;
    if (is_primary && !groups) break;
    size_t first = 0;
    while (token_type(*children[first]) == Rules::NOT) ++first;
    node = groups ? children[1] : children[first];
  }
  return start_of(*node);
}

// Where a statement's is: a head that begins with brackets may have none in its first line.
uint32_t first_place(const Node& statement) {
  const Node& inner = *statement.children[0];
  switch (rule_of(inner)) {
    case Rules::RuleIf_statement:
    case Rules::RuleWhile_statement:
    case Rules::RuleMatch_statement:
      return first_place_in(*inner.children[1]);
    case Rules::RuleFor_statement:
      return first_place_in(*inner.children[3]);
    default:
      return start_of(statement);
  }
}

// In front of the first statement of each turn, which has the place of it.
void check_each_turn(Unit& unit, const Node& loop, const BlockRewriter* around) {
  const Node& body = *child_rule(loop, Rules::RuleBlock);
  const Node* first = child_rule(body, Rules::RuleStatement);
  const uint32_t at = first != nullptr ? start_of(*first) : start_of(body);
  const bool on_its_line = first == nullptr || rule_of(*first->children[0]) == Rules::RuleSimple_statement;
  const std::string separator =
      on_its_line ? "; " : join({"\n", indentation_at(unit.source, at), std::string(shift_in(around), ' ')});
  const uint32_t place = first != nullptr ? first_place(*first) : at;
  unit.edits.insert(at, checkpoint(unit) + separator, {place, place, place});
}

// The changes from `next` on that begin before `end`. Lines behind several statements come innermost first.
void rewrite_until(Unit& unit, uint32_t end, Changes::const_iterator& next, const Changes& changes,
                   BlockRewriter* around) {
  while (next != changes.end() && next->first < end) {
    const Change& change = (next++)->second;
    const uint32_t statement_end = end_of(*change.statement);
    if (change.checks_each_turn) check_each_turn(unit, *change.statement, around);
    if (change.block != nullptr) {
      if (around != nullptr) around->rewrite_jumps(start_of(*change.statement));
      BlockRewriter rewriter(unit, *change.block, around);
      rewriter.rewrite_head();
      rewriter.indent_body();
      rewrite_until(unit, statement_end, next, changes, &rewriter);
      rewriter.rewrite_jumps(statement_end);
      rewriter.rewrite_end();
      if (around != nullptr) around->skip_jumps(statement_end);
    } else {
      rewrite_until(unit, statement_end, next, changes, around);
    }
    if (change.checks_behind) check_behind(unit, *change.statement, around);
  }
}

}  // namespace

void rewrite_statements(Unit& unit, const std::vector<AtomicBlock>& blocks, const Guards& guards) {
  const Changes changes = changes_of(blocks, guards);
  auto next = changes.begin();
  rewrite_until(unit, static_cast<uint32_t>(unit.source.size()), next, changes, nullptr);
}

}  // namespace stmpy::compiler
