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

}  // namespace stmpy::compiler
