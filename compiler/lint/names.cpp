// Writes to what is not transactional: globals, modules, classes, plain objects.

#include <string>

#include "lint/checks.h"

namespace stmpy::compiler {

namespace {

std::string_view object_text(const Place& place, const Node& primary) {
  return place.text(primary).substr(
      0, end_of(*primary.children[primary.children.size() - 3]) - start_of(primary));
}

bool is_attribute(const Node& primary) {
  return primary.children.size() > 2 &&
         token_type(*primary.children[primary.children.size() - 2]) == Rules::DOT;
}

void check_name(const Place& place, const Target& target) {
  const Token& token = *token_of(*target.primary->children.front());
  const auto declared = place.scope.names.find(place.text(token));
  if (declared == place.scope.names.end()) return;
  if (declared->second.global) {
    place.findings.add(rules::global_write, *target.primary,
                       "the global " + std::string(place.text(token)) + " is written in a transaction");
  } else if (declared->second.nonlocal) {
    const Scope* owner = place.values.owner(place.values.scopes().resolve(place.scope, place.text(token)));
    // One of the transaction's own functions.
    if (owner == nullptr || owner == place.region.scope || owner->node == nullptr ||
        place.region.contains(start_of(*owner->node))) {
      return;
    }
    place.findings.add(
        rules::global_write, *target.primary,
        "the outer function's " + std::string(place.text(token)) + " is written in a transaction");
  }
}

}  // namespace

// `global n; n = 1`, `nonlocal n; n = 1`, `config.debug = True`, `globals()["n"] = 1`
void check_global_targets(const Place& place) {
  for (const Target& target : targets_of(place.node)) {
    const auto& children = target.primary->children;
    if (children.size() == 1 && token_type(*children[0]) == Rules::NAME) {
      check_name(place, target);
    } else if (children.size() == 3 && is_attribute(*target.primary) &&
               token_type(*children[0]) == Rules::NAME) {
      const Name& name = place.values.scopes().resolve(place.scope, place.text(*children[0]));
      if (name.meaning != Meaning::module) continue;
      place.findings.add(rules::global_write, *target.primary,
                         "an attribute of the module " + std::string(place.text(*children[0])) +
                             " is written in a transaction");
    } else if (children.size() > 3 && token_type(*children.back()) == Rules::CLOSE_BRACKET &&
               place.values.path_of_prefix(*target.primary, children.size() - 3, place.scope) ==
                   "builtins.globals()") {
      place.findings.add(rules::global_write, *target.primary, "a global is written in a transaction");
    }
  }
}

// `Account.count += 1`, `cls.count = 1`, `type(self).count = 1`, `self.__class__.count = 1`
void check_class_targets(const Place& place) {
  for (const Target& target : targets_of(place.node)) {
    const Node& primary = *target.primary;
    if (!is_attribute(primary)) continue;
    const size_t count = primary.children.size() - 2;
    const std::string path = place.values.path_of_prefix(primary, count, place.scope);
    const bool is_local = place.values.class_at(path) != nullptr && !path.ends_with("()");
    const bool is_type_of =
        count > 2 && token_type(*primary.children[count - 1]) == Rules::CLOSE_PAREN &&
        token_of(*primary.children[0]) != nullptr && place.text(*primary.children[0]) == "type" &&
        place.values.path_of_prefix(primary, 1, place.scope) == "builtins.type" && count == 4;
    const bool is_class_of = count > 2 && place.text(*primary.children[count - 1]) == "__class__";
    if (!is_local && !is_type_of && !is_class_of) continue;
    place.findings.add(rules::class_write, primary,
                       "an attribute of the class " + std::string(object_text(place, primary)) +
                           " is written in a transaction");
  }
}

// `self.x = 1` in a class that is none of STMObject's
void check_plain_targets(const Place& place) {
  for (const Target& target : targets_of(place.node)) {
    const Node& primary = *target.primary;
    if (!is_attribute(primary)) continue;
    const std::string path = place.values.path_of_prefix(primary, primary.children.size() - 2, place.scope);
    const LocalClass* local = path.ends_with("()") ? place.values.class_at(path) : nullptr;
    if (local == nullptr || !place.is_plain_object(primary, *local)) continue;
    place.findings.add(rules::plain_object, primary,
                       std::string(place.text(primary)) + " is written in a transaction, but " +
                           std::string(place.text(*local->node->children[1])) + " is no STMObject");
  }
}

}  // namespace stmpy::compiler
