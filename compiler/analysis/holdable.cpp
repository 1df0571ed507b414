#include "analysis/holdable.h"

#include <algorithm>

namespace stmpy::compiler {

namespace {

// What shows or changes a function's variables, by whatever path it is named.
constexpr std::string_view kMirrors[] = {
    "locals",          "vars",         "dir",   "eval",     "exec",    "_getframe",
    "_current_frames", "currentframe", "stack", "f_locals", "inspect",
};

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

const Node& extent_of(const Scope& scope) {
  // A comprehension's node is its first clause, which the element stands before.
  return scope.kind == Scope::Kind::comprehension ? *scope.node->parent : *scope.node;
}

bool is_generator_or_coroutine(const TokenList& tokens, const CompiledFunction& function) {
  if (function.is_async || function.scope->suspends) return true;
  const Node& definition = *function.definition;
  for (size_t i = first_token(definition).getTokenIndex(); i <= last_token(definition).getTokenIndex(); ++i) {
    // Also of a function inside: no harm done.
    if (tokens.get(i)->getType() == Rules::AWAIT) return true;
  }
  return false;
}

bool looks_at_itself(std::string_view source, const TokenList& tokens, const Node& definition) {
  for (size_t i = first_token(definition).getTokenIndex(); i <= last_token(definition).getTokenIndex(); ++i) {
    const auto& token = static_cast<const Token&>(*tokens.get(i));
    if (token.getType() == Rules::NAME &&
        std::ranges::find(kMirrors, token.text(source)) != std::end(kMirrors))
      return true;
  }
  return false;
}

// Whether code of another scope could bind the variable: any mention in a function, lambda or class inside;
// in a comprehension, which runs where it stands, a `:=`.
bool is_shared(std::string_view source, const TokenList& tokens, const Scope& scope, std::string_view name) {
  return std::ranges::any_of(scope.children, [&](const Scope* inner) {
    const Node& extent = extent_of(*inner);
    const bool comprehension = inner->kind == Scope::Kind::comprehension;
    const size_t last = last_token(extent).getTokenIndex();
    for (size_t i = first_token(extent).getTokenIndex(); i <= last; ++i) {
      const auto& token = static_cast<const Token&>(*tokens.get(i));
      if (token.getType() != Rules::NAME || token.text(source) != name) continue;
      if (!comprehension || tokens.get(i + 1)->getType() == Rules::WALRUS) return true;
    }
    return comprehension && is_shared(source, tokens, *inner, name);
  });
}

template <class Visit>
void for_each_binding(const FlowGraph& graph, Visit visit) {
  for (const FlowBlock& block : graph.blocks) {
    for (const FlowEvent& event : block.events) {
      if (event.kind == FlowEvent::Kind::bind || event.kind == FlowEvent::Kind::copy) visit(event);
    }
  }
}

}  // namespace

bool may_spell_variables_in_two_ways(std::string_view source, const TokenList& tokens,
                                     const CompiledFunction& function) {
  const Node& definition = *function.definition;
  for (size_t i = first_token(definition).getTokenIndex(); i <= last_token(definition).getTokenIndex(); ++i) {
    const auto& token = static_cast<const Token&>(*tokens.get(i));
    if (token.getType() == Rules::NAME && !std::ranges::all_of(token.text(source), is_ascii)) return true;
  }
  return false;
}

std::set<std::string_view> holdable_variables(std::string_view source, const TokenList& tokens,
                                              const CompiledFunction& function, const FlowGraph& graph) {
  std::set<std::string_view> variables;
  const Node& definition = *function.definition;
  if (function.scope->kind != Scope::Kind::function || is_generator_or_coroutine(tokens, function) ||
      looks_at_itself(source, tokens, definition))
    return variables;
  for (const Access& access : function.accesses) {
    if (access.variable.empty() || variables.contains(access.variable)) continue;
    const auto found = function.scope->names.find(access.variable);
    if (found == function.scope->names.end() || found->second.global || found->second.nonlocal) continue;
    if (graph.rebound_within.contains(access.variable)) continue;
    if (!is_shared(source, tokens, *function.scope, access.variable)) variables.insert(access.variable);
  }
  for_each_binding(graph, [&](const FlowEvent& event) {
    if (event.place.kind == InsertionPlace::Kind::nowhere) variables.erase(event.variable);
  });
  return variables;
}

std::set<std::string_view> fresh_variables(const CompiledFunction& function, const FlowGraph& graph) {
  std::set<std::string_view> fresh, others;
  for_each_binding(graph,
                   [&](const FlowEvent& event) { (event.fresh ? fresh : others).insert(event.variable); });
  std::erase_if(fresh, [&](std::string_view variable) {
    const auto found = function.scope->names.find(variable);
    return others.contains(variable) || found == function.scope->names.end() || found->second.parameter ||
           found->second.global || found->second.nonlocal;
  });
  return fresh;
}

}  // namespace stmpy::compiler
