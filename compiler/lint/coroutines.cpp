// Coroutines, which a transaction cannot run.

#include <string>

#include "lint/checks.h"
#include "lint/known_calls.h"

namespace stmpy::compiler {

namespace {

// `asyncio.run(work())`: what runs the coroutine is a finding of its own.
bool is_started(const Place& place) {
  const Node* at = &place.node;
  while (at->parent != nullptr && rule_of(*at->parent) != Rules::RuleStatement) {
    at = at->parent;
    if (rule_of(*at) != Rules::RulePrimary) continue;
    for (const Call& call : calls_in(*at)) {
      if (find_call(kStarting, place.values.path_of_prefix(*at, call.callee, place.scope)) != nullptr)
        return true;
    }
  }
  return false;
}

}  // namespace

// A call of a coroutine function of the module.
void check_coroutine_call(const Place& place) {
  for (const Call& call : calls_in(place.node)) {
    const Node* function =
        place.values.function_at(place.values.path_of_prefix(place.node, call.callee, place.scope));
    if (function == nullptr || rule_of(*function->parent) != Rules::RuleAsync_statement ||
        is_started(place)) {
      continue;
    }
    place.findings.add(rules::coroutine, start_of(place.node), call.end,
                       "the coroutine " + std::string(place.text(*function->children[1])) +
                           "() is made inside of a transaction");
  }
}

}  // namespace stmpy::compiler
