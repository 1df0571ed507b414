#include "lint/lint.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/with_items.h"
#include "lint/checks.h"
#include "lint/walk.h"
#include "syntax/antlr_lock.h"
#include "syntax/deep_stack.h"
#include "syntax/indentation.h"
#include "syntax/parse.h"

namespace stmpy::compiler {

namespace {

// Whatever targets_of() finds targets in.
constexpr size_t kWithTargets = kNoRule - 1;

struct Check {
  size_t syntax;  // the parser's rule whose nodes it is shown
  void (*check)(const Place&);
};

constexpr Check kChecks[] = {
    {Rules::RulePrimary, check_input_output},
    {Rules::RulePrimary, check_waiting},
    {Rules::RulePrimary, check_locking},
    {Rules::RuleWith_statement, check_with_lock},
    {Rules::RulePrimary, check_starting},
    {Rules::RulePrimary, check_random},
    {Rules::RulePrimary, check_clock},
    {Rules::RulePrimary, check_process_state},
    {Rules::RulePrimary, check_container_methods},
    {kWithTargets, check_container_targets},
    {kWithTargets, check_global_targets},
    {kWithTargets, check_class_targets},
    {kWithTargets, check_plain_targets},
    {Rules::RulePrimary, check_shared_iterator},
    {Rules::RuleFor_statement, check_iterated_shared_iterator},
    {Rules::RuleExcept_clause, check_abort_handler},
    {Rules::RulePrimary, check_suppressed_abort},
    {Rules::RuleTry_statement, check_exit_from_finally},
    {Rules::RulePrimary, check_coroutine_call},
    {Rules::RuleReturn_statement, check_lazy_result},
    {Rules::RuleImport_statement, check_inner_import},
    {Rules::RuleFrom_statement, check_inner_import},
};

// Whether a call takes functions that it does not run inside of the transaction.
bool runs_later(const Node& node, const Scope& scope, const Values& values) {
  static constexpr std::string_view kLater[] = {
      "stmpy.on_commit",  "stmpy.on_abort",  "weakref.finalize",       "weakref.ref",
      "threading.Thread", "threading.Timer", "multiprocessing.Process"};
  if (rule_of(node) != Rules::RulePrimary) return false;
  for (const Call& call : calls_in(node)) {
    const std::string path = values.path_of_prefix(node, call.callee, scope);
    if (std::find(std::begin(kLater), std::end(kLater), path) != std::end(kLater)) return true;
  }
  return false;
}

// The functions of the module that the region mentions other than to run them later.
std::set<const Node*> functions_used(const Region& region, const Values& values) {
  std::set<const Node*> used;
  walk(values.scopes(), *region.body, *region.scope, [&](const Node& node, const Scope& scope) {
    if (rule_of(node) == Rules::RuleReturn_statement && node.children.size() > 1 &&
        sole_name(*node.children[1]) != nullptr) {
      return false;
    }
    if (rule_of(node) == Rules::RulePrimary && token_type(*node.children[0]) == Rules::NAME) {
      const Node* function = values.function_at(values.path_of_prefix(node, 1, scope));
      if (function != nullptr) used.insert(function);
    }
    return !runs_later(node, scope, values);
  });
  return used;
}

bool is_returned_lambda(const Node& node) {
  if (rule_of(node) != Rules::RuleReturn_statement || node.children.size() < 2) return false;
  const Node* inner = node.children[1];
  while (token_of(*inner) == nullptr && inner->children.size() == 1) inner = inner->children.front();
  return rule_of(*inner) == Rules::RuleLambda;
}

std::string_view name_of(const Region& region, const Values& values) {
  return rule_of(*region.whole) == Rules::RuleFunction_definition ? values.text(*region.whole->children[1])
                                                                  : "a transaction";
}

// Adds the functions that the region calls to `called`.
void check_region(const Region& region, const Values& values, Findings& findings,
                  std::vector<Region>& called) {
  const std::set<const Node*> used = functions_used(region, values);
  const auto visit = [&](const Node& node, const Scope& scope) {
    if (&node != region.whole && rule_of(node) == Rules::RuleFunction_definition &&
        (!used.contains(&node) || begins_transaction(node, scope, values))) {
      return false;
    }
    const bool has_targets = !targets_of(node).empty();
    for (const Check& check : kChecks) {
      if (check.syntax == rule_of(node) || (check.syntax == kWithTargets && has_targets)) {
        check.check({node, scope, region, values, findings});
      }
    }
    // A method of an object that the region has made changes nothing of others.
    if (rule_of(node) == Rules::RulePrimary &&
        !Place{node, scope, region, values, findings}.made_here(node)) {
      for (const Node* function : called_functions(node, scope, values)) {
        if (region.contains(start_of(*function))) continue;
        called.push_back({function, function->children.back(), &values.scopes().of(*function), false,
                          start_of(*function), name_of(region, values)});
      }
    }
    return !runs_later(node, scope, values) && !is_returned_lambda(node);
  };
  if (region.is_called()) {
    findings.said_of(
        std::string(": ").append(region.caller).append(" calls ").append(name_of(region, values)));
  } else if (!region.is_block) {
    check_memoised({*region.whole, *region.scope, region, values, findings});
  }
  if (region.is_block) {
    check_with_lock({*region.whole, *region.scope, region, values, findings});
    for (const WithItem& item : items_of(*region.whole).items) {
      if (item.start() > region.start) walk(values.scopes(), *item.expression, *region.scope, visit);
    }
  }
  walk(values.scopes(), *region.body, *region.scope, visit);
}

// All atomic code, and what it calls, each once.
void check_regions(std::vector<Region> regions, const Values& values, Findings& findings) {
  std::set<const Node*> checked;
  while (!regions.empty()) {
    std::vector<Region> called;
    for (const Region& region : regions) check_region(region, values, findings, called);
    regions.clear();
    for (const Region& region : called) {
      if (checked.insert(region.whole).second) regions.push_back(region);
    }
  }
}

LintResult check(std::string_view source) {
  std::vector<Token> tokens;
  std::unique_ptr<SyntaxTree> tree;
  {
    const AntlrLock lock;
    tokens = tokenize(source);
    tree = std::make_unique<SyntaxTree>(tokens);
  }
  Scopes scopes(source, tree->file());
  const Values values(source, scopes, tree->file());
  Findings findings;
  check_regions(find_regions(tree->file(), scopes, values), values, findings);
  return {std::move(findings).sorted(), find_ignores(source, tokens)};
}

}  // namespace

LintResult lint(std::string_view source) {
  try {
    if (source.find('\0') != std::string_view::npos) return {};
    LintResult result;
    run_on_deep_stack([&] { result = check(source); });
    return result;
  } catch (const Refusal&) {
    return {};
  }
}

}  // namespace stmpy::compiler
