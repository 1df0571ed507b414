#include "analysis/with_items.h"

namespace stmpy::compiler {

namespace {

// The elements of `(…)`, or null.
const Node* elements_in_brackets(const Node& expression) {
  const Node* primary = sole_primary(expression);
  const bool brackets = primary != nullptr && primary->children.size() == 3 &&
                        token_type(*primary->children[0]) == Rules::OPEN_PAREN &&
                        rule_of(*primary->children[1]) == Rules::RuleElements;
  return brackets ? primary->children[1] : nullptr;
}

// A tuple's element can be what an item cannot.
bool can_be_item(const Node& expression) {
  return token_of(*expression.children[0]) == nullptr && child_token(expression, Rules::WALRUS) == nullptr;
}

// `(a as b, c)`: only expressions, with their targets.
bool are_items(const Node& elements) {
  for (const Node* child : elements.children) {
    const size_t type = token_type(*child);
    if (type == Rules::COMMA || type == Rules::AS || rule_of(*child) == Rules::RulePrimary) continue;
    if (rule_of(*child) != Rules::RuleExpression || !can_be_item(*child)) return false;
  }
  return elements.children.size() > 1;
}

}  // namespace

WithItems items_of(const Node& with_statement) {
  WithItems found{{}, false};
  for (const Node* child : with_statement.children) {
    if (rule_of(*child) != Rules::RuleWith_item) continue;
    found.items.push_back({child->children[0], child->children.size() == 3 ? child->children[2] : nullptr});
  }
  if (found.items.size() != 1 || found.items[0].target != nullptr) return found;
  const Node* elements = elements_in_brackets(*found.items[0].expression);
  if (elements == nullptr || !are_items(*elements)) return found;
  found = {{}, true};
  for (const Node* child : elements->children) {
    if (rule_of(*child) == Rules::RuleExpression) found.items.push_back({child, nullptr});
    if (rule_of(*child) == Rules::RulePrimary) found.items.back().target = child;
  }
  return found;
}

const Node& unbracketed(const Node& expression) {
  const Node* elements = elements_in_brackets(expression);
  const bool one = elements != nullptr && elements->children.size() == 1;
  return one ? unbracketed(*elements->children[0]) : expression;
}

}  // namespace stmpy::compiler
