// ANTLR's parse tree as the analysis reads it: children in order, told apart without dynamic casts.

#pragma once

#include <RuleContext.h>
#include <tree/TerminalNodeImpl.h>

#include <cstdint>
#include <typeinfo>

#include "PythonParser.h"
#include "syntax/token.h"

namespace stmpy::compiler {

using Node = antlr4::tree::ParseTree;
using Rules = grammar::PythonParser;

inline constexpr size_t kNoRule = static_cast<size_t>(-1);

// The token that a leaf is, or null for a rule.
inline const Token* token_of(const Node& node) {
  if (typeid(node) != typeid(antlr4::tree::TerminalNodeImpl)) return nullptr;
  // The leaf inherits virtually, so no static cast leads to it; this one only asks where the whole object
  // begins.
  const auto* leaf = static_cast<const antlr4::tree::TerminalNodeImpl*>(dynamic_cast<const void*>(&node));
  return static_cast<const Token*>(leaf->symbol);
}

inline size_t token_type(const Node& node) {
  const Token* token = token_of(node);
  return token == nullptr ? 0 : token->getType();
}

inline size_t rule_of(const Node& node) {
  return token_of(node) != nullptr ? kNoRule : static_cast<const antlr4::RuleContext&>(node).getRuleIndex();
}

inline const Token& first_token(const Node& node) {
  if (const Token* token = token_of(node)) return *token;
  return static_cast<const Token&>(*static_cast<const antlr4::ParserRuleContext&>(node).start);
}

inline const Token& last_token(const Node& node) {
  if (const Token* token = token_of(node)) return *token;
  return static_cast<const Token&>(*static_cast<const antlr4::ParserRuleContext&>(node).stop);
}

inline uint32_t start_of(const Node& node) { return first_token(node).start(); }
inline uint32_t end_of(const Node& node) { return last_token(node).end(); }

// The first child that is a token of this type or a node of this rule, or null.
inline const Node* child_token(const Node& node, size_t type) {
  for (const Node* child : node.children) {
    if (token_type(*child) == type) return child;
  }
  return nullptr;
}

inline const Node* child_rule(const Node& node, size_t rule) {
  for (const Node* child : node.children) {
    if (rule_of(*child) == rule) return child;
  }
  return nullptr;
}

// The primary that an expression consists of, or null if it has operators, stars, a conditional or a walrus.
inline const Node* sole_primary(const Node& node) {
  const Node* inner = &node;
  while (rule_of(*inner) != Rules::RulePrimary) {
    if (token_of(*inner) != nullptr || inner->children.size() != 1) return nullptr;
    inner = inner->children.front();
  }
  return inner;
}

// The name that an expression consists of, or null.
inline const Token* sole_name(const Node& node) {
  const Node* primary = sole_primary(node);
  if (primary == nullptr || primary->children.size() != 1) return nullptr;
  const Token* token = token_of(*primary->children.front());
  return token != nullptr && token->getType() == Rules::NAME ? token : nullptr;
}

}  // namespace stmpy::compiler
