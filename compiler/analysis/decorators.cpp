#include "analysis/decorators.h"

namespace stmpy::compiler {

Meaning meaning_of_export(std::string_view name) {
  for (const Export& known : kExports) {
    if (known.name == name) return known.meaning;
  }
  return Meaning::other;
}

DecoratorPath path_of(const Node& expression) {
  const Node* primary = sole_primary(expression);
  if (primary == nullptr) return {};
  DecoratorPath path;
  for (size_t i = 0; i < primary->children.size(); ++i) {
    const Token* token = token_of(*primary->children[i]);
    if (token != nullptr && token->getType() == Rules::OPEN_PAREN && i > 0) {
      const bool ends_here =
          primary->children.size() - i <= 3 && token_type(*primary->children.back()) == Rules::CLOSE_PAREN;
      if (!ends_here) return {};
      path.called = true;
      if (const Node* elements = child_rule(*primary, Rules::RuleElements)) {
        path.positional = elements->children.size() < 3 || token_type(*elements->children[1]) != Rules::EQUAL;
      }
      return path;
    }
    const size_t expected = i % 2 == 0 ? Rules::NAME : Rules::DOT;
    if (token == nullptr || token->getType() != expected) return {};
    if (expected == Rules::NAME) path.names.push_back(token);
  }
  return path;
}

DecoratorPath decorator_path(const Node& decorator) { return path_of(*decorator.children[1]); }

namespace {

// Of a name that is bound once: `tx = atomic(timeout=1)`. What is called with a function is a function.
Meaning meaning_of_value(const Node& value, const Scopes& scopes, const Scope& scope,
                         std::string_view source) {
  const DecoratorPath path = path_of(value);
  if (path.positional) return Meaning::other;
  const Meaning meaning = meaning_of(path, scopes, scope, source);
  return marks(meaning) && meaning != Meaning::atomically ? meaning : Meaning::other;
}

}  // namespace

Meaning meaning_of(const DecoratorPath& path, const Scopes& scopes, const Scope& scope,
                   std::string_view source) {
  if (path.names.empty() || path.names.size() > 2) return Meaning::other;
  const Name& root = scopes.resolve(scope, path.names.front()->text(source));
  const bool is_stmpy = root.meaning == Meaning::stmpy_module;
  if (path.names.size() == 2)
    return is_stmpy ? meaning_of_export(path.names.back()->text(source)) : Meaning::other;
  if (root.value != nullptr && !path.called)
    return meaning_of_value(*root.value, scopes, *root.value_scope, source);
  return is_stmpy ? Meaning::other : root.meaning;
}

}  // namespace stmpy::compiler
