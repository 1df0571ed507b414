#include "lint/regions.h"

#include <algorithm>
#include <optional>
#include <string>

#include "analysis/with_items.h"
#include "lint/walk.h"

namespace stmpy::compiler {

namespace {

enum class Marking { none, atomic, irrevocable };

// Of `atomic`, `atomic(…)` and `atomically`.
Marking marking(const Node& expression, const Scope& scope, const Values& values) {
  std::string path = values.path_of(expression, scope);
  if (path.ends_with("()")) path.resize(path.size() - 2);
  if (path != "stmpy.atomic" && path != "stmpy.atomically") return Marking::none;
  const Node* primary = sole_primary(expression);
  const Node* arguments = child_rule(*primary, Rules::RuleElements);
  for (size_t i = 0; arguments != nullptr && i + 2 < arguments->children.size(); ++i) {
    const Token* name = sole_name(*arguments->children[i]);
    if (name != nullptr && values.text(*name) == "irrevocable" &&
        token_type(*arguments->children[i + 1]) == Rules::EQUAL &&
        values.text(*arguments->children[i + 2]) != "False") {
      return Marking::irrevocable;
    }
  }
  return Marking::atomic;
}

Marking marking_of(const Node& function, const Scope& scope, const Values& values) {
  const Node* decorated = function.parent;
  if (rule_of(*decorated) != Rules::RuleDecorated) return Marking::none;
  for (const Node* child : decorated->children) {
    if (rule_of(*child) != Rules::RuleDecorator) break;
    const Marking found = marking(*child->children[1], scope, values);
    if (found != Marking::none) return found;
  }
  return Marking::none;
}

// The function that `atomically(f, …)` runs.
std::optional<Region> run_by(const Node& primary, const Scope& scope, Scopes& scopes, const Values& values) {
  for (size_t i = 1; i + 1 < primary.children.size(); ++i) {
    if (token_type(*primary.children[i]) != Rules::OPEN_PAREN ||
        rule_of(*primary.children[i + 1]) != Rules::RuleElements ||
        values.path_of_prefix(primary, i, scope) != "stmpy.atomically") {
      continue;
    }
    const Node& function = *primary.children[i + 1]->children[0];
    const Node* inner = function.children.empty() ? nullptr : function.children.front();
    if (inner != nullptr && rule_of(*inner) == Rules::RuleLambda) {
      return Region{inner, inner->children.back(), &scopes.of(*inner), false, start_of(*inner)};
    }
    const Node* local = values.function_at(values.path_of(function, scope));
    if (local != nullptr) {
      return Region{local, local->children.back(), &scopes.of(*local), false, start_of(*local)};
    }
  }
  return std::nullopt;
}

// Whether a call of the function runs its body, now.
bool runs_when_called(const Node& function, const Scope& scope, const Values& values) {
  const Node& parent = *function.parent;
  if (rule_of(parent) == Rules::RuleAsync_statement || values.scopes().of(function).suspends) return false;
  if (rule_of(parent) != Rules::RuleDecorated) return true;
  return std::all_of(parent.children.begin(), parent.children.end() - 1, [&](const Node* decorator) {
    const std::string path = values.path_of(*decorator->children[1], scope);
    return path == "stmpy.compiled" || path == "stmpy.invariant" || path == "builtins.staticmethod" ||
           path == "builtins.classmethod";
  });
}

}  // namespace

std::vector<const Node*> called_functions(const Node& primary, const Scope& scope, const Values& values) {
  std::vector<const Node*> called;
  for (size_t i = 1; i < primary.children.size(); ++i) {
    if (token_type(*primary.children[i]) != Rules::OPEN_PAREN) continue;
    const Node* function = values.function_at(values.path_of_prefix(primary, i, scope));
    if (function != nullptr && runs_when_called(*function, *values.scopes().of(*function).parent, values)) {
      called.push_back(function);
    }
  }
  return called;
}

bool begins_transaction(const Node& function, const Scope& scope, const Values& values) {
  return marking_of(function, scope, values) != Marking::none;
}

std::vector<Region> find_regions(const Node& file, Scopes& scopes, const Values& values) {
  std::vector<Region> regions;
  const auto add = [&](const Region& region) {
    const auto same = [&](const Region& other) { return other.whole == region.whole; };
    if (std::none_of(regions.begin(), regions.end(), same)) regions.push_back(region);
  };
  walk(scopes, file, scopes.module(), [&](const Node& node, const Scope& scope) {
    if (rule_of(node) == Rules::RuleFunction_definition) {
      const Scope& inner = scopes.of(node);
      if (!inner.suspends && marking_of(node, scope, values) == Marking::atomic) {
        add({&node, node.children.back(), &inner, false, start_of(node)});
      }
    } else if (rule_of(node) == Rules::RuleWith_statement) {
      for (const WithItem& item : items_of(node).items) {
        if (values.path_of(*item.expression, scope) == "stmpy.atomic()" &&
            marking(*item.expression, scope, values) == Marking::atomic) {
          add({&node, node.children.back(), &scope, true, item.start()});
        }
      }
    } else if (rule_of(node) == Rules::RulePrimary) {
      if (const auto region = run_by(node, scope, scopes, values)) add(*region);
    }
    return true;
  });
  return regions;
}

}  // namespace stmpy::compiler
