#include "analysis/scopes.h"

#include <algorithm>
#include <string>

#include "analysis/binder.h"

namespace stmpy::compiler {

Scopes::Scopes(std::string_view source, const Node& file) {
  storage_.push_back({Scope::Kind::module, nullptr, nullptr, {}, false, {}, {}, {}});
  Binder(source, *this).visit(file, module());
}

Scope& Scopes::open(Scope::Kind kind, Scope& parent, const Node& node) {
  storage_.push_back({kind, &parent, &node, {}, false, {}, {}, {}});
  parent.children.push_back(&storage_.back());
  by_node_.emplace(&node, &storage_.back());
  return storage_.back();
}

const Name& Scopes::resolve(const Scope& scope, std::string_view name) const {
  static const Name kUnbound;
  const Scope& module_scope = storage_.front();
  const Scope* at = &scope;
  while (at != nullptr) {
    const auto found = at->names.find(name);
    if (found != at->names.end() && found->second.global && at != &module_scope) {
      at = &module_scope;
      continue;
    }
    if (found != at->names.end() && found->second.meaning != Meaning::nothing) return found->second;
    // A class body's names are seen in the body alone, not in what it defines.
    do {
      at = at->parent;
    } while (at != nullptr && at->kind == Scope::Kind::class_body);
  }
  return kUnbound;
}

std::string_view mangling_class(const Scope& scope) {
  for (const Scope* at = &scope; at != nullptr; at = at->parent) {
    if (at->kind == Scope::Kind::class_body) return at->class_name;
  }
  return {};
}

std::string mangled(const Scope& scope, std::string_view name) {
  if (!name.starts_with("__") || name.ends_with("__")) return std::string(name);
  std::string_view class_name = mangling_class(scope);
  class_name.remove_prefix(std::min(class_name.find_first_not_of('_'), class_name.size()));
  if (class_name.empty()) return std::string(name);
  return std::string("_").append(class_name).append(name);
}

}  // namespace stmpy::compiler
