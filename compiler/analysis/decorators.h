// What stmpy exports that decorates functions or begins blocks, and how an expression names it.

#pragma once

#include <string_view>
#include <vector>

#include "analysis/scopes.h"
#include "syntax/tree.h"

namespace stmpy::compiler {

struct Export {
  std::string_view name;
  Meaning meaning;
};

inline constexpr Export kExports[] = {
    {"atomic", Meaning::atomic},
    {"atomically", Meaning::atomically},
    {"compiled", Meaning::compiled},
    {"invariant", Meaning::invariant},
};

// What makes a decorated function be compiled.
constexpr bool starts_transaction(Meaning meaning) {
  return meaning == Meaning::atomic || meaning == Meaning::atomically;
}
constexpr bool marks(Meaning meaning) {
  return starts_transaction(meaning) || meaning == Meaning::compiled || meaning == Meaning::invariant;
}

// Meaning::other for what does not decorate.
Meaning meaning_of_export(std::string_view name);

// The names in `a.b` or `a.b(…)`; empty for any other expression.
struct DecoratorPath {
  std::vector<const Token*> names;
  bool called = false;
  bool positional = false;  // called with arguments that are not keywords

  const Token* sole_name() const { return names.size() == 1 ? names.front() : nullptr; }
};

DecoratorPath path_of(const Node& expression);
DecoratorPath decorator_path(const Node& decorator);

// What a path of names means where it is read in `scope`; Meaning::other for what stmpy does not export.
Meaning meaning_of(const DecoratorPath& path, const Scopes& scopes, const Scope& scope,
                   std::string_view source);

}  // namespace stmpy::compiler
