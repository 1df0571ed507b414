// The parts of a module that run in transactions, as far as the module itself tells.

#pragma once

#include <vector>

#include "lint/values.h"

namespace stmpy::compiler {

// A function under `@atomic` or given to `atomically`, a `with atomic():` statement, or a function that one
// of them calls.
struct Region {
  const Node* whole;
  const Node* body;
  const Scope* scope;            // of the body
  bool is_block;                 // the statement, not a function
  uint32_t start;                // of what is in the transaction: behind other items of the statement
  std::string_view caller = {};  // of a function that is called

  bool is_called() const { return !caller.empty(); }

  bool contains(uint32_t offset) const { return start <= offset && offset < end_of(*whole); }
};

// Those whose atomic() says `irrevocable=` run once and are left out.
std::vector<Region> find_regions(const Node& file, Scopes& scopes, const Values& values);

// The functions of the module that are called at the node, in the order of the calls. Those that would make
// something else of the call (generators, coroutines, other decorators) are left out, and transactions of
// their own too.
std::vector<const Node*> called_functions(const Node& primary, const Scope& scope, const Values& values);

// Whether the function is run by a transaction of its own.
bool begins_transaction(const Node& function, const Scope& scope, const Values& values);

}  // namespace stmpy::compiler
