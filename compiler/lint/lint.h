// What an ordinary program should not do in a transaction. Never part of an import: `stmpyc --check` asks.

#pragma once

#include <string_view>
#include <vector>

#include "lint/check.h"
#include "lint/ignores.h"

namespace stmpy::compiler {

struct LintResult {
  std::vector<Finding> findings;  // in the order of the source, silenced ones among them
  std::vector<Ignore> ignores;
};

// Checks a module's source, which is UTF-8. One that the compiler cannot read has no findings: compile() says
// why. Throws only when the system has no memory or thread.
LintResult lint(std::string_view source);

}  // namespace stmpy::compiler
