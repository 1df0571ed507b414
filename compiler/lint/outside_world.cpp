// What leaves the process, or waits for something in it: calls, known by what they call.

#include <algorithm>
#include <string>

#include "analysis/with_items.h"
#include "lint/checks.h"
#include "lint/known_calls.h"

namespace stmpy::compiler {

namespace {

// `threading.Lock().acquire` as people write it: `Lock.acquire`.
std::string spoken(std::string_view path) {
  std::string words;
  for (const char c : path) {
    if (c != '(' && c != ')') words += c;
  }
  if (words.starts_with("builtins.")) words.erase(0, 9);
  return words;
}

template <typename Accept>
void report_calls(const Place& place, const CallTable& table, const LintRule& rule, std::string_view verb,
                  const Accept& accept) {
  for (const Call& call : calls_in(place.node)) {
    const std::string path = place.values.path_of_prefix(place.node, call.callee, place.scope);
    const KnownCalls* known = find_call(table, path);
    if (known == nullptr || !accept(call)) continue;
    // `open(x).write(y)`: the object is the expression's own.
    const bool made_by_call =
        call.callee >= 3 && token_type(*place.node.children[call.callee - 3]) == Rules::CLOSE_PAREN;
    if (known->harmless_on_own && (made_by_call || place.made_here(place.node))) continue;
    place.findings.add(rule, start_of(place.node), call.end, spoken(path).append("() ").append(verb));
  }
}

void report_calls(const Place& place, const CallTable& table, const LintRule& rule, std::string_view verb) {
  report_calls(place, table, rule, verb, [](const Call&) { return true; });
}

// `print(…, file=buffer)` and `json.dump(value, buffer)`, where the buffer is in memory.
bool goes_to_memory(const Place& place, const Call& call) {
  const Node* file = keyword_argument(place, call, "file");
  if (file == nullptr && call.arguments != nullptr && call.arguments->children.size() > 2) {
    file = call.arguments->children[2];
  }
  if (file == nullptr) return false;
  const std::string path = place.values.path_of(*file, place.scope);
  return path == "io.StringIO()" || path == "io.BytesIO()";
}

}  // namespace

void check_input_output(const Place& place) {
  report_calls(place, kInputOutput, rules::input_output, "in a transaction",
               [&](const Call& call) { return !goes_to_memory(place, call); });
}

void check_waiting(const Place& place) {
  report_calls(place, kWaiting, rules::waiting, "waits inside of a transaction");
}

void check_locking(const Place& place) {
  report_calls(place, kLocking, rules::locking, "can wait for another thread inside of a transaction");
}

// `with lock:`
void check_with_lock(const Place& place) {
  for (const WithItem& item : items_of(place.node).items) {
    const Node* primary = sole_primary(*item.expression);
    if (primary == nullptr || !place.region.contains(item.start()) || place.made_here(*primary)) continue;
    const std::string path = place.values.path_of(*item.expression, place.scope);
    if (std::find(kLocks.begin(), kLocks.end(), path) == kLocks.end()) continue;
    place.findings.add(rules::locking, *item.expression,
                       "a " + spoken(path) + " is taken inside of a transaction");
  }
}

void check_starting(const Place& place) {
  report_calls(place, kStarting, rules::starting, "starts something that an abort does not stop");
}

void check_random(const Place& place) {
  report_calls(place, kRandom, rules::random, "gives each attempt another value");
}

void check_clock(const Place& place) {
  report_calls(place, kClock, rules::clock, "gives each attempt another time");
}

void check_process_state(const Place& place) {
  report_calls(place, kProcessState, rules::global_write, "changes the state of the whole process or thread");
}

}  // namespace stmpy::compiler
