#include "analysis/inert.h"

namespace stmpy::compiler {

namespace {

// Whether a scope inside of `scope` mentions the name: then it could be a cell, which that scope can rebind.
// A mention as an attribute or keyword counts too; it costs only the shorter form.
bool is_mentioned_inside(std::string_view source, const TokenList& tokens, const Scope& scope,
                         std::string_view name) {
  for (const Scope* inner : scope.children) {
    // A comprehension's node is its first clause, which the element stands before.
    const Node& extent = inner->kind == Scope::Kind::comprehension ? *inner->node->parent : *inner->node;
    const size_t last = last_token(extent).getTokenIndex();
    for (size_t i = first_token(extent).getTokenIndex(); i <= last; ++i) {
      const auto& token = static_cast<const Token&>(*tokens.get(i));
      if (token.getType() == Rules::NAME && token.text(source) == name) return true;
    }
  }
  return false;
}

bool is_literal(const Node& primary) {
  for (const Node* child : primary.children) {
    const size_t type = token_type(*child);
    if (type != Rules::NUMBER && type != Rules::STRING && type != Rules::CONSTANT) return false;
  }
  return true;
}

// `-1`
bool is_signed_number(const Node& node) {
  const Node* inner = &node;
  while (inner->children.size() == 1 && token_of(*inner) == nullptr) inner = inner->children.front();
  if (rule_of(*inner) != Rules::RuleOperation || inner->children.size() != 2) return false;
  const size_t sign = token_type(*inner->children[0]);
  if (sign != Rules::MINUS && sign != Rules::PLUS && sign != Rules::TILDE) return false;
  const Node& primary = *inner->children[1];
  return primary.children.size() == 1 && token_type(*primary.children[0]) == Rules::NUMBER;
}

}  // namespace

bool is_inert(std::string_view source, const TokenList& tokens, const Scope& scope, const Node& node) {
  if (const Token* token = sole_name(node)) {
    const std::string_view name = token->text(source);
    const auto found = scope.names.find(name);
    return scope.kind == Scope::Kind::function && found != scope.names.end() && found->second.parameter &&
           !found->second.can_be_unbound && !is_mentioned_inside(source, tokens, scope, name);
  }
  const Node* primary = sole_primary(node);
  return primary != nullptr ? is_literal(*primary) : is_signed_number(node);
}

bool may_suspend(const TokenList& tokens, const Node& node) {
  const size_t last = last_token(node).getTokenIndex();
  for (size_t i = first_token(node).getTokenIndex(); i <= last; ++i) {
    const size_t type = tokens.get(i)->getType();
    if (type == Rules::YIELD || type == Rules::AWAIT || type == Rules::ASYNC) return true;
  }
  return false;
}

}  // namespace stmpy::compiler
