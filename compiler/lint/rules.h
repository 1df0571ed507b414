// The rules about atomic code: what each is called, why it is a rule, what to do instead.

#pragma once

#include <span>
#include <string_view>

#include "diagnostics/diagnostic.h"

namespace stmpy::compiler {

// Codes are for good: they stand in users' comments. docs/lints.md explains each, with an example.
struct LintRule : Rule {
  std::string_view name;  // for people and for SARIF
  std::string_view why;
};

namespace rules {
extern const LintRule input_output, waiting, locking, starting, random, clock;
extern const LintRule attribute_container, shared_container, global_write, class_write, shared_iterator,
    memoised, plain_object;
extern const LintRule abort_handler, exit_from_finally;
extern const LintRule coroutine, lazy_result, inner_import;
extern const LintRule unused_ignore;
}  // namespace rules

// In the order of their codes.
std::span<const LintRule* const> lint_rules();

}  // namespace stmpy::compiler
