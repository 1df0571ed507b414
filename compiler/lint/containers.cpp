// Lists, dicts and sets that are changed in place: in an attribute, and outside of the transaction.

#include <algorithm>
#include <array>
#include <string>

#include "lint/checks.h"
#include "lint/walk.h"

namespace stmpy::compiler {

namespace {

constexpr std::array<std::string_view, 21> kContainers = {"builtins.list()",
                                                          "builtins.dict()",
                                                          "builtins.set()",
                                                          "builtins.bytearray()",
                                                          "collections.defaultdict()",
                                                          "collections.OrderedDict()",
                                                          "collections.Counter()",
                                                          "collections.deque()",
                                                          "array.array()",
                                                          "numpy.array()",
                                                          "numpy.zeros()",
                                                          "numpy.ones()",
                                                          "numpy.empty()",
                                                          "numpy.full()",
                                                          "numpy.arange()",
                                                          "typing.List()",
                                                          "typing.Dict()",
                                                          "typing.Set()",
                                                          "typing.DefaultDict()",
                                                          "typing.Deque()",
                                                          "typing.Counter()"};

// Containers of the standard library's that every module shares.
constexpr std::array<std::string_view, 4> kOfTheProcess = {"os.environ", "sys.path", "sys.modules",
                                                           "sys.argv"};

constexpr std::array<std::string_view, 26> kMutators = {"append",
                                                        "extend",
                                                        "insert",
                                                        "remove",
                                                        "pop",
                                                        "clear",
                                                        "sort",
                                                        "reverse",
                                                        "update",
                                                        "setdefault",
                                                        "popitem",
                                                        "add",
                                                        "discard",
                                                        "difference_update",
                                                        "intersection_update",
                                                        "symmetric_difference_update",
                                                        "appendleft",
                                                        "extendleft",
                                                        "popleft",
                                                        "rotate",
                                                        "subtract",
                                                        "move_to_end",
                                                        "frombytes",
                                                        "fromlist",
                                                        "fill",
                                                        "resize"};

// Functions that change their first argument.
constexpr std::array<std::string_view, 9> kMutatingFunctions = {
    "heapq.heappush", "heapq.heappop",      "heapq.heapify",       "heapq.heapreplace", "heapq.heappushpop",
    "bisect.insort",  "bisect.insort_left", "bisect.insort_right", "random.shuffle"};

template <typename List>
bool has(const List& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::string_view spoken(std::string_view path) {
  path.remove_suffix(2);
  return path.substr(path.rfind('.') + 1);
}

// Whether the region puts a new value into the attribute before it changes that: then the change is the
// transaction's own.
bool is_replaced_before(const Place& place, const Node& primary, size_t count) {
  const std::string_view attribute = std::string_view(place.text(primary))
                                         .substr(0, end_of(*primary.children[count - 1]) - start_of(primary));
  bool found = false;
  walk(place.values.scopes(), *place.region.body, *place.region.scope, [&](const Node& node, const Scope&) {
    if (found || start_of(node) >= start_of(primary)) return false;
    for (const Target& target : targets_of(node)) {
      found |= target.kind == Target::Kind::store && place.text(*target.primary) == attribute;
    }
    return true;
  });
  return found;
}

// The first `count` children of the primary are an expression whose value is changed in place.
struct Change {
  const Node& primary;
  size_t count;
  uint32_t start;
  uint32_t end;
  std::string_view how;  // "changed by append()"
};

void report(const Place& place, const LintRule& rule, const Change& change, std::string what) {
  place.findings.add(rule, change.start, change.end, std::move(what));
}

void check_attribute(const Place& place, const Change& change, const Node& primary, size_t count,
                     const Scope& scope) {
  const std::string_view name = place.text(*primary.children[count - 1]);
  const std::string object = place.values.path_of_prefix(primary, count - 2, scope);
  const std::string whole = place.values.path_of_prefix(primary, count, scope);
  const std::string_view shown =
      place.text(primary).substr(0, end_of(*primary.children[count - 1]) - start_of(primary));
  if (has(kOfTheProcess, whole)) {
    return report(place, rules::shared_container, change,
                  std::string(whole).append(" is ").append(change.how));
  }
  const LocalClass* local = place.values.class_at(object);
  if (local == nullptr && !object.empty()) return;
  const std::string value = local == nullptr ? place.values.attribute_anywhere(name) : whole;
  if (!has(kContainers, value)) return;
  if (local != nullptr && !object.ends_with("()")) {
    return report(place, rules::shared_container, change,
                  std::string("the class's ")
                      .append(spoken(value))
                      .append(" ")
                      .append(shown)
                      .append(" is ")
                      .append(change.how));
  }
  if (local != nullptr && !place.values.is_transactional(*local)) {
    if (!place.is_plain_object(primary, *local)) return;
    return report(place, rules::plain_object, change,
                  std::string("the ")
                      .append(spoken(value))
                      .append(" in ")
                      .append(shown)
                      .append(" is ")
                      .append(change.how)
                      .append(", and ")
                      .append(place.text(*local->node->children[1]))
                      .append(" is no STMObject"));
  }
  if (place.made_here(primary) || place.is_given(primary) || place.is_initialiser() ||
      is_replaced_before(place, primary, count)) {
    return;
  }
  report(place, rules::attribute_container, change,
         std::string("the ")
             .append(spoken(value))
             .append(" in ")
             .append(shown)
             .append(" is ")
             .append(change.how));
}

void check_name(const Place& place, const Change& change) {
  const Token& token = *token_of(*change.primary.children.front());
  const Name& name = place.values.scopes().resolve(place.scope, place.text(token));
  const std::vector<Definition>* known = place.values.definitions(name);
  if (known == nullptr || known->empty()) return;
  // Another name for what is in an attribute.
  const Definition& only = known->front();
  const Node* value = only.kind == Definition::Kind::value ? sole_primary(*only.node) : nullptr;
  if (known->size() == 1 && value != nullptr && !name.parameter && value->children.size() > 2 &&
      token_type(*value->children[value->children.size() - 2]) == Rules::DOT) {
    return check_attribute(place, change, *value, value->children.size(), *only.scope);
  }
  const std::string kind = place.values.path_of_prefix(change.primary, 1, place.scope);
  if (!has(kContainers, kind) || (place.binds(token) && !name.parameter)) return;
  const Scope* owner = place.values.owner(name);
  const std::string_view whose = name.parameter
                                     ? (only.kind == Definition::Kind::value ? "default" : "argument")
                                 : owner->kind == Scope::Kind::module ? "module's"
                                                                      : "outer function's";
  // The argument of a function that the transaction calls is what the transaction gives it.
  const bool is_called = place.region.is_called() || owner->node != place.region.whole;
  if (name.parameter && is_called) return;
  report(place, rules::shared_container, change,
         std::string("the ")
             .append(whose)
             .append(" ")
             .append(spoken(kind))
             .append(" ")
             .append(place.text(token))
             .append(" is ")
             .append(change.how));
}

void check_change(const Place& place, const Change& change) {
  const auto& children = change.primary.children;
  if (change.count == 1) {
    if (token_type(*children[0]) == Rules::NAME) check_name(place, change);
  } else if (token_type(*children[change.count - 2]) == Rules::DOT) {
    check_attribute(place, change, change.primary, change.count, place.scope);
  }
}

}  // namespace

// `o.items.append(x)`, `heapq.heappush(o.items, x)`
void check_container_methods(const Place& place) {
  for (const Call& call : calls_in(place.node)) {
    const auto& children = place.node.children;
    if (call.callee >= 3 && token_type(*children[call.callee - 2]) == Rules::DOT) {
      const std::string_view method = place.text(*children[call.callee - 1]);
      if (has(kMutators, method)) {
        const std::string how = "changed by " + std::string(method) + "()";
        check_change(place, {place.node, call.callee - 2, start_of(place.node), call.end, how});
      }
    }
    const std::string path = place.values.path_of_prefix(place.node, call.callee, place.scope);
    if (call.arguments == nullptr || !has(kMutatingFunctions, path)) continue;
    const Node* first = sole_primary(*call.arguments->children[0]);
    if (first == nullptr) continue;
    const std::string how = "changed by " + path + "()";
    check_change(place, {*first, first->children.size(), start_of(place.node), call.end, how});
  }
}

// `o.items[k] = v`, `del o.items[k]`, `o.items |= other`
void check_container_targets(const Place& place) {
  for (const Target& target : targets_of(place.node)) {
    const auto& children = target.primary->children;
    const size_t count = children.size();
    const uint32_t start = start_of(*target.primary);
    const uint32_t end = end_of(*target.primary);
    if (count > 3 && token_type(*children.back()) == Rules::CLOSE_BRACKET) {
      const bool removes = target.kind == Target::Kind::remove;
      check_change(place, {*target.primary, count - 3, start, end,
                           removes ? "changed by deleting an item" : "changed by assigning an item"});
    } else if (target.kind == Target::Kind::update && count > 1) {
      const std::string how = "changed in place by " + std::string(place.text(*place.node.children[1]));
      check_change(place, {*target.primary, count, start, end, how});
    }
  }
}

}  // namespace stmpy::compiler
