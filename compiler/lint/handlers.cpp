// Code that catches the exception by which an aborted attempt is unwound, or drops it.

#include <string>

#include "lint/checks.h"

namespace stmpy::compiler {

namespace {

bool catches_abort(std::string_view path) {
  return path == "builtins.BaseException" || path == "stmpy.AbortTransaction" ||
         path == "builtins.BaseExceptionGroup";
}

// Of an expression, or of the items of a tuple: the first that catches the abort.
const Node* what_catches(const Place& place, const Node& node) {
  if (rule_of(node) == Rules::RuleExpression || rule_of(node) == Rules::RulePrimary) {
    const Node* primary = sole_primary(node);
    // The star of `except*` is read as the expression's.
    if (primary == nullptr && token_type(*node.children[0]) == Rules::STAR && node.children.size() == 2) {
      primary = sole_primary(*node.children[1]);
    }
    if (primary != nullptr) {
      const size_t count = primary->children.size();
      if (catches_abort(place.values.path_of_prefix(*primary, count, place.scope))) return primary;
      if (count != 3 || rule_of(*primary->children[1]) != Rules::RuleElements) return nullptr;
      return what_catches(place, *primary->children[1]);
    }
  }
  for (const Node* child : node.children) {
    if (token_of(*child) != nullptr) continue;
    if (const Node* found = what_catches(place, *child)) return found;
  }
  return nullptr;
}

// The last statement of a block, without the layers around it.
const Node& last_statement(const Node& block) {
  const Node* last = &block;
  while (token_of(*last) == nullptr) {
    const Node* inner = nullptr;
    for (const Node* child : last->children) {
      const size_t rule = rule_of(*child);
      if (rule == Rules::RuleStatement || rule == Rules::RuleSimple_statement ||
          rule == Rules::RuleRaise_statement) {
        inner = child;
      }
    }
    if (inner == nullptr) break;
    last = inner;
  }
  return *last;
}

// `return`, `break` and `continue` that leave the block itself.
void find_exits(const Place& place, const Node& node, bool in_loop) {
  switch (rule_of(node)) {
    case kNoRule: {
      const std::string_view word = token_type(node) == Rules::PASS ? place.text(node) : "pass";
      if (word == "pass" || in_loop) return;
      return place.findings.add(rules::exit_from_finally, node, std::string(word) + " in a finally block");
    }
    case Rules::RuleReturn_statement:
      return place.findings.add(rules::exit_from_finally, node, "return in a finally block");
    case Rules::RuleFunction_definition:
    case Rules::RuleClass_definition:
    case Rules::RuleExpression_statement:
    case Rules::RuleTry_statement:  // a finally of its own is looked at on its own
      return;
    case Rules::RuleWhile_statement:
    case Rules::RuleFor_statement: {
      // What leaves the `else` of a loop leaves what is around it.
      bool in_else = false;
      for (const Node* child : node.children) {
        in_else |= token_type(*child) == Rules::ELSE;
        find_exits(place, *child, in_loop || !in_else);
      }
      return;
    }
    default:
      for (const Node* child : node.children) find_exits(place, *child, in_loop);
  }
}

}  // namespace

void check_abort_handler(const Place& place) {
  const Node& clause = place.node;
  if (rule_of(last_statement(*clause.children.back())) == Rules::RuleRaise_statement) return;
  const bool bare = token_type(*clause.children[1]) == Rules::COLON;
  const Node* caught = bare ? clause.children[0] : what_catches(place, *clause.children[1]);
  if (caught == nullptr) return;
  place.findings.add(rules::abort_handler, *caught,
                     bare ? "a bare except also catches the abort of the transaction"
                          : std::string(place.text(*caught)) + " also catches the abort of the transaction");
}

// `with suppress(BaseException):`
void check_suppressed_abort(const Place& place) {
  for (const Call& call : calls_in(place.node)) {
    if (call.arguments == nullptr ||
        place.values.path_of_prefix(place.node, call.callee, place.scope) != "contextlib.suppress") {
      continue;
    }
    if (const Node* caught = what_catches(place, *call.arguments)) {
      place.findings.add(rules::abort_handler, *caught,
                         std::string(place.text(*caught)) + " also catches the abort of the transaction");
    }
  }
}

void check_exit_from_finally(const Place& place) {
  const auto& children = place.node.children;
  for (size_t i = 0; i + 2 < children.size(); ++i) {
    if (token_type(*children[i]) == Rules::FINALLY) find_exits(place, *children[i + 2], false);
  }
}

}  // namespace stmpy::compiler
