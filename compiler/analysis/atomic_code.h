// Which functions of a module are compiled: those under stmpy's decorators, found by what names mean, those
// with an atomic block in them, and all within them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/access.h"
#include "analysis/atomic_blocks.h"
#include "analysis/scopes.h"
#include "diagnostics/diagnostic.h"
#include "syntax/tree.h"

namespace stmpy::compiler {

struct CompiledFunction {
  // Of a block that is in no function: the with_statement; of lambdas and comprehensions that are in none:
  // the file.
  const Node* definition;
  const Scope* scope;
  std::string name;     // qualified, as in __qualname__
  std::string reason;   // as in `@atomic`
  bool is_inner_block;  // `@atomic def atomic()` inside of a function
  bool is_async;
  bool in_transaction;  // it is atomic, or stands in a function that is: what it accesses are mostly
                        // STMObjects
  std::vector<Access> accesses;
  std::vector<Clearing> clearings;
};

struct AtomicCode {
  std::vector<CompiledFunction> functions;  // in the order of the source, an outer one before those in it
  std::vector<AtomicBlock> blocks;          // in the same order
  std::vector<Diagnostic> diagnostics;
};

// With `compile_all`, every function counts as `@compiled`.
AtomicCode find_atomic_code(std::string_view source, const LineTable& lines, const Node& file, Scopes& scopes,
                            bool compile_all);

}  // namespace stmpy::compiler
