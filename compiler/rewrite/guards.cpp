#include "rewrite/guards.h"

namespace stmpy::compiler {

namespace {

// A tuple without brackets needs some to be an argument.
bool is_bare_tuple(const Node& expressions) { return child_token(expressions, Rules::COMMA) != nullptr; }

// `except types:` to `except caught(types):`. A bare `except:` is matched with what catches everything.
void rewrite_handler(Unit& unit, const Node& clause) {
  const std::string caught = unit.names.use("caught");
  const Node* types = child_rule(clause, Rules::RuleExpressions);
  if (types == nullptr) {
    // Where there was no expression, the whole clause is the place.
    const uint32_t start = start_of(clause), at = end_of(*clause.children[0]);
    unit.edits.insert(at, join({" ", caught, "()"}), {start, at, start, end_of_code(unit, clause)});
    return;
  }
  // Of several without brackets, which only some versions of Python accept, each has its own.
  for (const Node* type : types->children) {
    if (rule_of(*type) != Rules::RuleExpression) continue;
    // Behind the star of `except*`.
    const uint32_t start = start_of(*type->children.back()), end = end_of(*type);
    unit.edits.insert(start, caught + "(", {start, end, start});
    unit.edits.insert(end, ")", {start, end, start});
  }
}

// `return *value`, which Python refuses.
bool is_starred(const Node& expressions) {
  return expressions.children.size() == 1 && token_of(*expressions.children[0]->children[0]) != nullptr;
}

// `break` to `leaving(None); break`; so for `return` without a value, since an asynchronous generator has
// none.
void rewrite_jump(Unit& unit, const Token& jump) {
  unit.edits.insert(jump.start(), unit.names.use("leaving") + "(None); ",
                    {jump.start(), jump.end(), jump.start()});
}

// `return value` to `return leaving(value)`.
void rewrite_return(Unit& unit, const Node& statement) {
  const Node* value = child_rule(statement, Rules::RuleExpressions);
  if (value == nullptr) return rewrite_jump(unit, first_token(statement));
  if (is_starred(*value)) return;
  const std::string leaving = unit.names.use("leaving");
  const uint32_t start = start_of(*value), end = end_of(*value);
  const bool tuple = is_bare_tuple(*value);
  unit.edits.insert(start, join({leaving, tuple ? "((" : "("}), {start, end, start});
  unit.edits.insert(end, tuple ? "))" : ")", {start, end, start});
}

}  // namespace

void rewrite_guards(Unit& unit, const Guards& guards) {
  for (const Node* clause : guards.handlers) rewrite_handler(unit, *clause);
  for (const Node* statement : guards.returns) rewrite_return(unit, *statement);
  for (const Token* jump : guards.jumps) rewrite_jump(unit, *jump);
}

}  // namespace stmpy::compiler
