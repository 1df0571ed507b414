// A walk over the parse tree that knows in which scope each node's names are read.

#pragma once

#include "analysis/scopes.h"
#include "syntax/tree.h"

namespace stmpy::compiler {

// Calls `visit(node, scope)` for `node` and, where that returns true, for all below it.
template <typename Visit>
void walk(const Scopes& scopes, const Node& node, const Scope& scope, const Visit& visit) {
  if (token_of(node) != nullptr || !visit(node, scope)) return;
  const auto& children = node.children;
  switch (rule_of(node)) {
    case Rules::RuleFunction_definition:
    case Rules::RuleClass_definition:
    case Rules::RuleLambda:
      for (const Node* child : children) {
        walk(scopes, *child, child == children.back() ? scopes.of(node) : scope, visit);
      }
      return;
    case Rules::RuleElements:
      break;
    default:
      for (const Node* child : children) walk(scopes, *child, scope, visit);
      return;
  }
  // An element with a comprehension has a scope of its own, but for the first iterable.
  for (size_t i = 0; i < children.size(); ++i) {
    size_t end = i;
    const Node* comprehension = nullptr;
    for (; end < children.size() && token_type(*children[end]) != Rules::COMMA; ++end) {
      if (comprehension == nullptr && rule_of(*children[end]) == Rules::RuleComprehension) {
        comprehension = children[end];
      }
    }
    for (; i < end; ++i) {
      if (comprehension == nullptr) {
        walk(scopes, *children[i], scope, visit);
      } else if (children[i] != comprehension) {
        walk(scopes, *children[i], scopes.of(*comprehension), visit);
      } else if (visit(*comprehension, scopes.of(*comprehension))) {
        const Node* iterable = child_rule(*comprehension, Rules::RuleOperation);
        for (const Node* part : comprehension->children) {
          walk(scopes, *part, part == iterable ? scope : scopes.of(*comprehension), visit);
        }
      }
    }
  }
}

}  // namespace stmpy::compiler
