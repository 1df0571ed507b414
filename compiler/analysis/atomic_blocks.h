// `with atomic(): …` statements: blocks that re-run.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/scopes.h"
#include "analysis/with_items.h"
#include "syntax/token.h"

namespace stmpy::compiler {

struct AtomicBlock {
  const Node* statement;  // the with_statement
  const Scope* scope;
  WithItems with;    // at least one item is atomic
  std::string name;  // of its transactions: the function it is in
};

// Of the with statement's parts that run in the transaction.
struct Extent {
  uint32_t start;
  uint32_t end;

  bool contains(uint32_t offset) const { return start <= offset && offset < end; }
};
Extent extent_of(const AtomicBlock& block);

// A part of the block that suspends the function it is in: `yield`, `await`, `async`. Null if there is none.
const Node* find_suspension(const AtomicBlock& block);

// The jumps that leave the body of a block for a loop around it.
struct Jumps {
  std::vector<const Token*> breaks;
  std::vector<const Token*> continues;
};
Jumps jumps_out_of(std::string_view source, const AtomicBlock& block);

// The variables of its scope that the block binds or deletes and that somebody could miss, by where their
// values are found.
struct BoundNames {
  std::vector<std::string_view> certain;  // of locals that are bound whenever the block is reached
  std::vector<std::string_view> locals;
  std::vector<std::string_view> globals;
};
BoundNames names_bound_by(std::string_view source, const TokenList& tokens, const AtomicBlock& block);

}  // namespace stmpy::compiler
