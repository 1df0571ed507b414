#include "analysis/binder.h"

#include "analysis/decorators.h"

namespace stmpy::compiler {

namespace {

bool is_of_stmpy(Meaning meaning) { return meaning >= Meaning::stmpy_module; }

}  // namespace

void Binder::visit_children(const Node& node, Scope& scope) {
  for (const Node* child : node.children) visit(*child, scope);
}

void Binder::visit(const Node& node, Scope& scope) {
  switch (rule_of(node)) {
    case kNoRule:
      return;
    case Rules::RuleFunction_definition:
      bind(*token_of(*node.children[1]), scope);
      return visit_callable(node, scope, Scope::Kind::function);
    case Rules::RuleClass_definition:
      bind(*token_of(*node.children[1]), scope);
      return visit_class(node, scope);
    case Rules::RuleLambda:
      return visit_callable(node, scope, Scope::Kind::lambda);
    case Rules::RuleDecorated:
      return visit_decorated(node, scope);
    case Rules::RuleExpression_statement:
      return visit_assignment(node, scope);
    case Rules::RuleElements:
      return visit_elements(node, scope);
    case Rules::RuleImport_statement:
      return visit_import(node, scope);
    case Rules::RuleFrom_statement:
      return visit_from(node, scope);
    case Rules::RuleGlobal_statement:
      return declare(node, scope);
    case Rules::RuleExcept_clause:
      return visit_except(node, scope);
    case Rules::RulePattern:
    case Rules::RuleMapping_pattern:
    case Rules::RuleClosed_pattern:
      return visit_pattern(node, scope);
    case Rules::RuleDel_statement:
      return bind_target(*node.children[1], scope, true);
    case Rules::RuleTargets:
      return bind_target(node, scope);
    case Rules::RuleWith_item:
      visit(*node.children[0], scope);
      if (node.children.size() == 3) bind_target(*node.children[2], scope);
      return;
    case Rules::RuleType_statement:
      bind(*token_of(*node.children[1]), scope);
      return visit_children(node, scope);
    case Rules::RuleExpression:
      // `name := value` binds in the function around the comprehensions it stands in.
      if (const Node* walrus = child_token(node, Rules::WALRUS); walrus != nullptr) {
        Scope* binding = &scope;
        while (binding->kind == Scope::Kind::comprehension) binding = binding->parent;
        if (const Token* name = sole_name(*node.children[0])) bind(*name, *binding);
      }
      return visit_children(node, scope);
    case Rules::RuleYield:
      scope.suspends = true;
      return visit_children(node, scope);
    default:
      return visit_children(node, scope);
  }
}

// A function or lambda: parameters and body in its own scope, all the rest in the one around it.
void Binder::visit_callable(const Node& node, Scope& scope, Scope::Kind kind) {
  Scope& body = scopes_.open(kind, scope, node);
  for (const Node* child : node.children) {
    if (child == node.children.back()) {
      visit(*child, body);
      continue;
    }
    visit(*child, scope);
    const size_t rule = rule_of(*child);
    if (rule == Rules::RuleParameters || rule == Rules::RuleLambda_parameters) bind_parameters(*child, body);
  }
}

void Binder::bind_parameters(const Node& node, Scope& body) {
  for (const Node* parameter : node.children) {
    const Node* name = child_token(*parameter, Rules::NAME);
    if (name != nullptr) bind(*token_of(*name), body).parameter = true;
  }
}

void Binder::visit_class(const Node& node, Scope& scope) {
  Scope& body = scopes_.open(Scope::Kind::class_body, scope, node);
  body.class_name = text(*token_of(*node.children[1]));
  for (const Node* child : node.children) visit(*child, child == node.children.back() ? body : scope);
}

// A function named as its own decorator is a block: the name keeps its meaning, whoever runs the code.
void Binder::visit_decorated(const Node& node, Scope& scope) {
  const Node& definition = *node.children.back();
  bool is_block = false;
  for (const Node* child : node.children) {
    if (child == &definition) break;
    visit(*child, scope);
    if (rule_of(definition) != Rules::RuleFunction_definition) continue;
    const Token* decorator = decorator_path(*child).sole_name();
    const Token* name = token_of(*definition.children[1]);
    if (decorator != nullptr && text(*decorator) == text(*name)) is_block = true;
  }
  if (is_block) return visit_callable(definition, scope, Scope::Kind::function);
  visit(definition, scope);
}

void Binder::visit_assignment(const Node& node, Scope& scope) {
  const size_t count = node.children.size();
  if (count == 1) return visit(*node.children[0], scope);
  if (token_type(*node.children[1]) == Rules::EQUAL) {
    const Token* name = sole_name(*node.children[0]);
    if (count == 3 && name != nullptr) return visit_definition_by_value(*name, *node.children[2], scope);
    for (size_t i = 0; i + 1 < count; ++i) bind_target(*node.children[i], scope);
    return visit(*node.children.back(), scope);
  }
  bind_target(*node.children[0], scope);
  for (size_t i = 1; i < count; ++i) visit(*node.children[i], scope);
}

// `name = value`
void Binder::visit_definition_by_value(const Token& name, const Node& value, Scope& scope) {
  const Name before = scope.names[text(name)];
  Name& bound = bind(name, scope);
  if (before.meaning == Meaning::nothing && !before.global && !before.nonlocal) {
    bound.value = &value;
    bound.value_scope = &scope;
  }
  visit(value, scope);
}

// The elements of brackets. Those with comprehensions have a scope of their own, but for the first iterable.
void Binder::visit_elements(const Node& node, Scope& scope) {
  const auto& children = node.children;
  for (size_t i = 0; i < children.size();) {
    size_t end = i;
    const Node* comprehension = nullptr;
    while (end < children.size() && token_type(*children[end]) != Rules::COMMA) {
      if (comprehension == nullptr && rule_of(*children[end]) == Rules::RuleComprehension)
        comprehension = children[end];
      ++end;
    }
    if (comprehension == nullptr) {
      for (; i < end; ++i) {
        if (token_type(*children[i]) == Rules::AS) {
          bind_target(*children[++i], scope);
        } else {
          visit(*children[i], scope);
        }
      }
    } else {
      Scope& inner = scopes_.open(Scope::Kind::comprehension, scope, *comprehension);
      for (; i < end; ++i) {
        if (children[i] != comprehension) {
          visit(*children[i], inner);
          continue;
        }
        bool first_iterable = true;
        for (const Node* part : comprehension->children) {
          const bool outside = first_iterable && rule_of(*part) == Rules::RuleOperation;
          visit(*part, outside ? scope : inner);
          if (outside) first_iterable = false;
        }
      }
    }
    ++i;
  }
}

void Binder::visit_import(const Node& node, Scope& scope) {
  for (const Node* name : node.children) {
    if (rule_of(*name) != Rules::RuleImport_name) continue;
    const Node& path = *name->children[0];
    const bool dotted = path.children.size() > 1;
    const Token& root = *token_of(*path.children[0]);
    const bool renamed = name->children.size() == 3;
    // `import a.b` binds a, `import a.b as c` the module a.b.
    const bool is_stmpy = text(root) == "stmpy" && !(dotted && renamed);
    bind(renamed ? *token_of(*name->children[2]) : root, scope,
         is_stmpy ? Meaning::stmpy_module : Meaning::module);
  }
}

void Binder::visit_from(const Node& node, Scope& scope) {
  const bool relative = rule_of(*node.children[1]) != Rules::RuleDotted_name;
  const bool is_stmpy = !relative && node.children[1]->children.size() == 1 &&
                        text(*token_of(*node.children[1]->children[0])) == "stmpy";
  for (const Node* child : node.children) {
    if (token_type(*child) == Rules::STAR && is_stmpy) {
      for (const Export& known : kExports) scope.names[known.name].meaning = known.meaning;
    }
    if (rule_of(*child) != Rules::RuleImport_name) continue;
    const Token& imported = *token_of(*child->children[0]->children[0]);
    const Token& name = child->children.size() == 3 ? *token_of(*child->children[2]) : imported;
    bind(name, scope, is_stmpy ? meaning_of_export(text(imported)) : Meaning::other);
  }
}

void Binder::visit_except(const Node& node, Scope& scope) {
  if (const Node* name = child_token(node, Rules::NAME)) bind(*token_of(*name), scope).can_be_unbound = true;
  ++handlers_;
  visit_children(node, scope);
  --handlers_;
}

void Binder::visit_pattern(const Node& node, Scope& scope) {
  // The name in `name=pattern` is an attribute's.
  const size_t count = node.children.size();
  const bool keyword = count > 1 && token_type(*node.children[1]) == Rules::EQUAL;
  for (size_t i = 0; i < count; ++i) {
    const Node& child = *node.children[i];
    // `as name`, `*name`, `**name`; a bare name that is neither called nor dotted.
    if (token_type(child) == Rules::NAME) bind(*token_of(child), scope);
    const bool called = i + 1 < count;
    if (rule_of(child) == Rules::RuleDotted_name && child.children.size() == 1 && !called) {
      bind(*token_of(*child.children[0]), scope);
    }
    if (i > 0 || !keyword) visit(child, scope);
  }
}

void Binder::declare(const Node& node, Scope& scope) {
  const bool global = text(*token_of(*node.children[0])) == "global";
  for (size_t i = 1; i < node.children.size(); i += 2) {
    Name& name = scope.names[text(*token_of(*node.children[i]))];
    (global ? name.global : name.nonlocal) = true;
  }
}

void Binder::bind_target(const Node& node, Scope& scope, bool unbinds) {
  if (token_of(node) != nullptr) return;
  if (rule_of(node) != Rules::RulePrimary) {
    for (const Node* child : node.children) bind_target(*child, scope, unbinds);
    return;
  }
  if (node.children.size() == 1) {
    const Token* name = token_of(*node.children[0]);
    if (name != nullptr && name->getType() == Rules::NAME) bind(*name, scope).can_be_unbound |= unbinds;
    return;
  }
  const size_t opening = token_type(*node.children[0]);
  const bool brackets = opening == Rules::OPEN_PAREN || opening == Rules::OPEN_BRACKET;
  if (brackets && node.children.size() == 3 && rule_of(*node.children[1]) == Rules::RuleElements) {
    return bind_target(*node.children[1], scope, unbinds);
  }
  visit_children(node, scope);
}

Name& Binder::bind(const Token& token, Scope& scope, Meaning meaning) {
  scope.bound.push_back(&token);
  Scope* target = &scope;
  const auto declared = scope.names.find(text(token));
  if (declared != scope.names.end()) {
    if (declared->second.global) target = &scopes_.module();
    if (declared->second.nonlocal && scope.parent != nullptr) target = scope.parent;
  }
  Name& name = target->names[text(token)];
  ++name.bindings;
  name.value = nullptr;
  if (name.meaning == Meaning::nothing) {
    name.meaning = meaning;
    if (meaning == Meaning::other) name.rebound_at = token.start();
  } else if (name.meaning != meaning && handlers_ == 0) {
    if (is_of_stmpy(meaning) || is_of_stmpy(name.meaning)) name.rebound = true;
    if (!is_of_stmpy(meaning)) name.rebound_at = token.start();
    name.meaning = Meaning::other;
  }
  return name;
}

}  // namespace stmpy::compiler
