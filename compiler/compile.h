// Source text to source text: the whole way on one page.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/access.h"
#include "analysis/static_attributes.h"
#include "diagnostics/diagnostic.h"
#include "text/position_map.h"

namespace stmpy::compiler {

struct FunctionReport {
  std::string name;  // qualified
  uint32_t line;     // of the def
  std::string reason;
  struct Entry {
    Position place;
    Access access;
    std::string_view barrier;    // the call it became; empty for none
    std::optional<Position> of;  // Fate::reused: the place of the access that opened it
  };
  std::vector<Entry> accesses;
};

struct CompileResult {
  std::string text;
  bool changed;
  PositionMap map;
  std::vector<Diagnostic> diagnostics;
  std::vector<FunctionReport> report;
  StaticAttributes static_attributes;
};

struct CompileOptions {
  bool compile_all = false;  // every function counts as `@compiled`
  bool holds = true;         // false: each access opens for itself, for tests that compare
};

// Compiles a module's source, which is UTF-8. What the compiler cannot read stays as it is, with a
// diagnostic; throws only when the system has no memory or thread. Any number of threads may call it; they
// take turns at parsing.
CompileResult compile(std::string_view source, const CompileOptions& options);

}  // namespace stmpy::compiler
