// Iterators that outlive an attempt, or the transaction.

#include <string>

#include "lint/checks.h"
#include "lint/walk.h"

namespace stmpy::compiler {

namespace {

bool is_generator_call(const Place& place, std::string_view path) {
  if (path.ends_with("()")) path.remove_suffix(2);
  const Node* function = place.values.function_at(path);
  // A decorator, such as `contextmanager`, makes something else of it.
  if (function == nullptr || rule_of(*function->parent) == Rules::RuleAsync_statement ||
      rule_of(*function->parent) == Rules::RuleDecorated) {
    return false;
  }
  return place.values.scopes().of(*function).suspends;
}

bool is_iterator(const Place& place, std::string_view path) {
  static constexpr std::string_view kMakers[] = {
      "builtins.iter()",     "builtins.map()",       "builtins.zip()",       "builtins.filter()",
      "builtins.reversed()", "builtins.enumerate()", "builtins.generator()", "builtins.open()"};
  for (const std::string_view maker : kMakers) {
    if (path == maker) return true;
  }
  const bool of_itertools = path.starts_with("itertools.") && path.ends_with("()");
  return of_itertools || (path.ends_with("()") && is_generator_call(place, path));
}

// A name or attribute whose value was made outside of the transaction.
bool is_shared(const Place& place, const Node& primary) {
  const Token* root = token_of(*primary.children.front());
  if (root == nullptr || root->getType() != Rules::NAME) return false;
  if (primary.children.size() > 1) return token_type(*primary.children.back()) == Rules::NAME;
  return !place.binds(*root);
}

void check_consumed(const Place& place, const Node& iterator, const Node& where, std::string_view how) {
  const Node* primary = sole_primary(iterator);
  if (primary == nullptr || !is_shared(place, *primary)) return;
  if (!is_iterator(place, place.values.path_of(iterator, place.scope))) return;
  place.findings.add(
      rules::shared_iterator, where,
      std::string(how).append(" ").append(place.text(*primary)).append(", which an abort does not put back"));
}

// Whether something is read from an object in the elements of a generator expression.
bool reads_attributes(const Node& node) {
  if (rule_of(node) == Rules::RulePrimary && child_token(node, Rules::DOT) != nullptr) return true;
  for (const Node* child : node.children) {
    if (token_of(*child) == nullptr && reads_attributes(*child)) return true;
  }
  return false;
}

// Whether `map(f, …)` reads attributes each time it is asked for a value.
bool maps_attributes(const Place& place, const Call& call) {
  if (call.arguments == nullptr) return false;
  const Node& function = *call.arguments->children[0];
  const bool is_lambda = !function.children.empty() && rule_of(*function.children[0]) == Rules::RuleLambda;
  return is_lambda ? reads_attributes(*function.children[0]->children.back())
                   : place.values.path_of(function, place.scope) == "operator.attrgetter()";
}

}  // namespace

// `next(IDS)`
void check_shared_iterator(const Place& place) {
  for (const Call& call : calls_in(place.node)) {
    if (call.arguments == nullptr ||
        place.values.path_of_prefix(place.node, call.callee, place.scope) != "builtins.next") {
      continue;
    }
    check_consumed(place, *call.arguments->children[0], place.node, "next() takes from");
  }
}

// `for line in FILE:`
void check_iterated_shared_iterator(const Place& place) {
  check_consumed(place, *place.node.children[3], *place.node.children[3], "the loop takes from");
}

// `return (o.x for o in objects)`
void check_lazy_result(const Place& place) {
  // What a helper returns is the transaction's own.
  if (place.region.is_called() || place.scope.node != place.region.whole || place.node.children.size() < 2)
    return;
  const Node& value = *place.node.children[1];
  const Node* primary = sole_primary(value);
  if (primary == nullptr) return;
  const std::string path = place.values.path_of(value, place.scope);
  bool lazy = false;
  if (path == "builtins.generator()" && primary->children.size() == 3) {
    lazy = reads_attributes(*primary->children[1]);
  } else if (path == "builtins.map()" || path == "builtins.filter()") {
    const std::vector<Call> calls = calls_in(*primary);
    lazy = calls.size() == 1 && maps_attributes(place, calls.front());
  } else {
    lazy = is_generator_call(place, path);
  }
  if (lazy) place.findings.add(rules::lazy_result, value, "the result is evaluated after the transaction");
}

}  // namespace stmpy::compiler
