// What binds which names, and which attributes of the module's classes, to what.

#include <algorithm>

#include "lint/values.h"

namespace stmpy::compiler {

namespace {

// The expressions in `a, b, c`.
std::vector<const Node*> listed(const Node& value) {
  const Node* list = &value;
  if (rule_of(*list) == Rules::RuleValue) list = list->children.front();
  if (rule_of(*list) != Rules::RuleExpressions) return {};
  std::vector<const Node*> found;
  for (const Node* child : list->children) {
    if (token_of(*child) == nullptr) found.push_back(child);
  }
  return found;
}

// The paths of the module's own: see values.h.
std::string numbered(char kind, const Node& definition) {
  return std::string(1, kind).append(std::to_string(start_of(definition)));
}

const Node& decorated(const Node& definition) {
  const Node* parent = definition.parent;
  if (parent != nullptr && rule_of(*parent) == Rules::RuleAsync_statement) parent = parent->parent;
  return parent != nullptr && rule_of(*parent) == Rules::RuleDecorated ? *parent : definition;
}

}  // namespace

void Values::add(const Token& name, const Scope& scope, Definition definition) {
  definition.at = name.start();
  definitions_[&scopes_.resolve(scope, text(name))].push_back(std::move(definition));
}

// A target: a name, or an attribute of a method's own object.
void Values::add(const Node& target, const Scope& scope, Definition definition) {
  if (const Token* name = sole_name(target)) return add(*name, scope, std::move(definition));
  const Node* primary = sole_primary(target);
  if (primary == nullptr || primary->children.size() != 3 ||
      token_type(*primary->children[1]) != Rules::DOT) {
    return;
  }
  const LocalClass* local = class_at(path_of_prefix(*primary, 1, scope));
  if (local == nullptr) return;
  // A value made from the attribute itself, as in `self.x = self.x + [y]`, says nothing new.
  if (definition.node != nullptr && text(*definition.node).find(text(target)) != std::string_view::npos)
    return;
  classes_.at(start_of(*local->node))
      .attributes[text(*token_of(*primary->children[2]))]
      .push_back(std::move(definition));
}

void Values::define(const Node& node, const Scope& scope) {
  switch (rule_of(node)) {
    case Rules::RuleImport_statement:
      return define_import(node, scope);
    case Rules::RuleFrom_statement:
      return define_from(node, scope);
    case Rules::RuleExpression_statement:
      return define_assignment(node, scope);
    case Rules::RuleWith_item:
    case Rules::RuleElements:
      // `value as target`
      for (size_t i = 1; i + 1 < node.children.size(); ++i) {
        if (token_type(*node.children[i]) != Rules::AS) continue;
        add(*node.children[i + 1], scope, {Definition::Kind::value, node.children[i - 1], &scope, {}, 0});
      }
      return;
    case Rules::RuleFunction_definition: {
      const std::string path = numbered('@', node);
      functions_.emplace(start_of(node), &node);
      add(*token_of(*node.children[1]), scope, {Definition::Kind::path, nullptr, nullptr, path, 0});
      return define_parameters(node, scope);
    }
    case Rules::RuleClass_definition:
      return define_class(node, scope);
    default:
      return;
  }
}

void Values::define_import(const Node& node, const Scope& scope) {
  for (const Node* name : node.children) {
    if (rule_of(*name) != Rules::RuleImport_name) continue;
    const Node& path = *name->children[0];
    const bool renamed = name->children.size() == 3;
    const Token& bound = *token_of(renamed ? *name->children[2] : *path.children[0]);
    const std::string_view module = renamed ? text(path) : text(bound);
    add(bound, scope, {Definition::Kind::path, nullptr, nullptr, std::string(module), 0});
  }
}

void Values::define_from(const Node& node, const Scope& scope) {
  const Node& module = *node.children[1];
  if (rule_of(module) != Rules::RuleDotted_name) return;
  for (const Node* child : node.children) {
    if (rule_of(*child) != Rules::RuleImport_name) continue;
    const Token& name =
        *token_of(child->children.size() == 3 ? *child->children[2] : *child->children[0]->children[0]);
    std::string path = std::string(text(module)).append(".").append(text(*child->children[0]));
    add(name, scope, {Definition::Kind::path, nullptr, nullptr, std::move(path), 0});
  }
}

void Values::define_assignment(const Node& node, const Scope& scope) {
  const auto& children = node.children;
  if (children.size() < 3) return;
  if (token_type(*children[1]) == Rules::COLON) {
    // A value says more than an annotation, but for dataclasses' field().
    const Node* value = children.size() > 4 ? children[4] : nullptr;
    const std::string path = value == nullptr ? std::string() : path_of(*value, scope);
    const bool by_value = !path.empty() && path != "dataclasses.field()";
    const Definition definition{by_value ? Definition::Kind::value : Definition::Kind::annotation,
                                by_value ? value : children[2],
                                &scope,
                                {},
                                0};
    return add(*children[0], scope, definition);
  }
  if (token_type(*children[1]) != Rules::EQUAL) return;
  const Node& value = *children.back();
  const std::vector<const Node*> values = listed(value);
  for (size_t i = 0; i + 1 < children.size(); i += 2) {
    const std::vector<const Node*> targets = listed(*children[i]);
    if (targets.size() == 1) {
      add(*targets[0], scope, {Definition::Kind::value, &value, &scope, {}, 0});
    } else if (targets.size() == values.size()) {
      for (size_t k = 0; k < targets.size(); ++k) {
        add(*targets[k], scope, {Definition::Kind::value, values[k], &scope, {}, 0});
      }
    }
  }
}

void Values::define_parameters(const Node& function, const Scope& scope) {
  const Node* parameters = child_rule(function, Rules::RuleParameters);
  if (parameters == nullptr) return;
  const Scope& body = scopes_.of(function);
  bool first = true;
  for (const Node* parameter : parameters->children) {
    const Node* name = child_token(*parameter, Rules::NAME);
    if (name == nullptr) continue;
    Definition definition{Definition::Kind::path, nullptr, &scope, {}, 0};
    const bool is_plain = token_type(*parameter->children.front()) == Rules::NAME;
    const Node* colon = child_token(*parameter, Rules::COLON);
    const Node* equal = child_token(*parameter, Rules::EQUAL);
    if (first && scope.kind == Scope::Kind::class_body) {
      // The object or the class, unless a decorator says that it is neither.
      std::string path = numbered(':', *scope.node);
      bool of_instance = true;
      for (const Node* decorator : decorated(function).children) {
        if (rule_of(*decorator) != Rules::RuleDecorator) break;
        const std::string meaning = path_of(*decorator->children[1], scope);
        if (meaning == "builtins.staticmethod") path.clear();
        if (meaning == "builtins.classmethod") of_instance = false;
      }
      if (!path.empty() && of_instance) path += "()";
      definition.path = std::move(path);
    } else if (is_plain && colon != nullptr) {
      definition.kind = Definition::Kind::annotation;
      definition.node = *(std::find(parameter->children.begin(), parameter->children.end(), colon) + 1);
    } else if (is_plain && equal != nullptr) {
      definition.kind = Definition::Kind::value;
      definition.node = parameter->children.back();
    }
    first = false;
    add(*token_of(*name), body, std::move(definition));
  }
}

void Values::define_class(const Node& node, const Scope& scope) {
  LocalClass& local = classes_[start_of(node)];
  local.node = &node;
  local.scope = &scope;
  if (const Node* bases = child_rule(node, Rules::RuleElements)) {
    const auto& arguments = bases->children;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const bool is_keyword = i + 1 < arguments.size() && token_type(*arguments[i + 1]) == Rules::EQUAL;
      if (is_keyword) {
        i += 2;  // `metaclass=…`
      } else if (rule_of(*arguments[i]) == Rules::RuleExpression) {
        local.bases.emplace_back(arguments[i], &scope);
      }
    }
  }
  const std::string path = numbered(':', node);
  add(*token_of(*node.children[1]), scope, {Definition::Kind::path, nullptr, nullptr, path, 0});
}

}  // namespace stmpy::compiler
