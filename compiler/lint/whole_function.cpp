// What a function as a whole should not be or hold.

#include <string>

#include "lint/checks.h"

namespace stmpy::compiler {

void check_inner_import(const Place& place) {
  place.findings.add(rules::inner_import, place.node, "an import inside of a transaction");
}

// `@cache` above or below `@atomic`. Is shown the function.
void check_memoised(const Place& place) {
  const Node& decorated = *place.node.parent;
  if (rule_of(decorated) != Rules::RuleDecorated) return;
  for (const Node* decorator : decorated.children) {
    if (rule_of(*decorator) != Rules::RuleDecorator) return;
    std::string path = place.values.path_of(*decorator->children[1], *place.scope.parent);
    if (path.ends_with("()")) path.resize(path.size() - 2);
    if (path != "functools.cache" && path != "functools.lru_cache") continue;
    place.findings.add(rules::memoised, *decorator->children[1], "the results of a transaction are cached");
  }
}

}  // namespace stmpy::compiler
