// What expressions are known to stand for, from imports, assignments and classes of one module.
//
// A value is written as the path that leads to it: `time.sleep`, `builtins.print`, `threading.Lock()` for
// what that call returns, `logging.getLogger().info` for a method of it. A list display is `builtins.list()`.
// A class of the module is `:N`, its instances are `:N()`, and a function of the module is `@N`, N being
// where it is defined. What is not known is empty: a name that is bound twice, to two things, is known to be
// neither.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/scopes.h"
#include "syntax/tree.h"

namespace stmpy::compiler {

// One place that binds a name.
struct Definition {
  enum class Kind : uint8_t { path, value, annotation };

  Kind kind;
  const Node* node;    // the value or the annotation
  const Scope* scope;  // where that is evaluated
  std::string path;    // if it is known from the binding alone
  uint32_t at;
};

struct LocalClass {
  const Node* node;
  const Scope* scope;  // around it
  std::vector<std::pair<const Node*, const Scope*>> bases;
  std::unordered_map<std::string_view, std::vector<Definition>> attributes;
};

class Values {
 public:
  Values(std::string_view source, Scopes& scopes, const Node& file);

  std::string path_of(const Node& expression, const Scope& scope) const;

  // Of the first `count` children of a primary.
  std::string path_of_prefix(const Node& primary, size_t count, const Scope& scope) const;

  // Null if a binding of the name is not understood.
  const std::vector<Definition>* definitions(const Name& name) const;

  // The scope that binds a name found by Scopes::resolve, or null for a builtin.
  const Scope* owner(const Name& name) const;

  // For a path `:N` or `:N()`, and for `@N`; else null.
  const LocalClass* class_at(std::string_view path) const;
  const Node* function_at(std::string_view path) const;

  bool is_transactional(const LocalClass& local) const;

  // Whether no object of the class can be an STMObject, but for classes of other modules that derive from it.
  bool is_plain(const LocalClass& local) const;

  // What `name` is in all classes of the module that have it, if all of them are transactional; else empty.
  std::string attribute_anywhere(std::string_view name) const;

  const Scopes& scopes() const { return scopes_; }
  std::string_view text(const Token& token) const { return token.text(source_); }
  std::string_view text(const Node& node) const {
    return source_.substr(start_of(node), end_of(node) - start_of(node));
  }

 private:
  class Step;

  void own(const Scope& scope);
  void define(const Node& node, const Scope& scope);
  void define_import(const Node& node, const Scope& scope);
  void define_from(const Node& node, const Scope& scope);
  void define_assignment(const Node& node, const Scope& scope);
  void define_parameters(const Node& function, const Scope& scope);
  void define_class(const Node& node, const Scope& scope);
  void add(const Node& target, const Scope& scope, Definition definition);
  void add(const Token& name, const Scope& scope, Definition definition);

  std::string path_of_name(const Token& name, const Scope& scope) const;
  std::string path_of_atom(const Node& primary, const Scope& scope) const;
  std::string path_of_definition(const Definition& definition) const;
  std::string agreed(const std::vector<Definition>& definitions) const;
  bool derives(const LocalClass& local, const LocalClass& other) const;
  std::string attribute(const LocalClass& local, std::string_view name, bool of_instance) const;

  std::string_view source_;
  Scopes& scopes_;
  std::unordered_map<const Name*, std::vector<Definition>> definitions_;
  std::unordered_map<const Name*, const Scope*> owners_;
  std::unordered_map<uint32_t, LocalClass> classes_;
  std::unordered_map<uint32_t, const Node*> functions_;
  mutable int depth_ = 0;
  mutable int steps_ = 0;
};

}  // namespace stmpy::compiler
