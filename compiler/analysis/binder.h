// One walk over a module that enters every binding into its scope.

#pragma once

#include <string_view>

#include "analysis/scopes.h"

namespace stmpy::compiler {

class Binder {
 public:
  Binder(std::string_view source, Scopes& scopes) : source_(source), scopes_(scopes) {}

  void visit(const Node& node, Scope& scope);

 private:
  void visit_children(const Node& node, Scope& scope);
  void visit_callable(const Node& node, Scope& scope, Scope::Kind kind);
  void bind_parameters(const Node& node, Scope& body);
  void visit_class(const Node& node, Scope& scope);
  void visit_decorated(const Node& node, Scope& scope);
  void visit_assignment(const Node& node, Scope& scope);
  void visit_definition_by_value(const Token& name, const Node& value, Scope& scope);
  void visit_elements(const Node& node, Scope& scope);
  void visit_import(const Node& node, Scope& scope);
  void visit_from(const Node& node, Scope& scope);
  void visit_except(const Node& node, Scope& scope);
  void visit_pattern(const Node& node, Scope& scope);
  void declare(const Node& node, Scope& scope);

  // Binds the names in an expression that is a target; what is not a name in it is visited.
  void bind_target(const Node& node, Scope& scope, bool unbinds = false);
  Name& bind(const Token& name, Scope& scope, Meaning meaning = Meaning::other);

  std::string_view text(const Token& token) const { return token.text(source_); }

  std::string_view source_;
  Scopes& scopes_;
  // A binding in a handler is the fall-back of one that failed, not another meaning.
  int handlers_ = 0;
};

}  // namespace stmpy::compiler
