// The parts of a module that run in transactions, as far as the module itself tells.

#pragma once

#include <vector>

#include "lint/values.h"

namespace stmpy::compiler {

// A function under `@atomic` or given to `atomically`, or a `with atomic():` statement.
struct Region {
  const Node* whole;
  const Node* body;
  const Scope* scope;  // of the body
  bool is_block;       // the statement, not a function

  bool contains(uint32_t offset) const { return start_of(*whole) <= offset && offset < end_of(*whole); }
};

// Those whose atomic() says `irrevocable=` run once and are left out.
std::vector<Region> find_regions(const Node& file, Scopes& scopes, const Values& values);

// Whether the function is run by a transaction of its own.
bool begins_transaction(const Node& function, const Scope& scope, const Values& values);

}  // namespace stmpy::compiler
