#include "analysis/first_binding.h"

#include <algorithm>
#include <vector>

namespace stmpy::compiler {

namespace {

Extent extent_of(const Node& node) { return {start_of(node), end_of(node)}; }

// By these a function can see its variables without naming them.
bool shows_variables(std::string_view name) {
  return name == "locals" || name == "vars" || name == "dir" || name == "eval" || name == "exec" ||
         name == "_getframe" || name == "currentframe";
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

// A function's code as far as one variable is concerned, in offsets.
struct Mentions {
  std::vector<uint32_t> of_variable;
  std::vector<uint32_t> jumps;
  bool function_looks_at_itself = false;
  bool all_ascii = true;  // else two names that differ can be one variable: Python normalizes them
};

Mentions mentions_in(std::string_view source, const TokenList& tokens, const Node& function,
                     std::string_view name) {
  Mentions found;
  size_t type_before = 0;
  const size_t last = last_token(function).getTokenIndex();
  for (size_t i = first_token(function).getTokenIndex(); i <= last; ++i) {
    const auto& token = static_cast<const Token&>(*tokens.get(i));
    const std::string_view text = token.text(source);
    if (token.getType() == Rules::NAME) {
      if (text == name && type_before != Rules::DOT) found.of_variable.push_back(token.start());
      found.function_looks_at_itself |= shows_variables(text);
      found.all_ascii = found.all_ascii && is_ascii(text);
    } else if (token.getType() == Rules::RETURN || (token.getType() == Rules::PASS && text != "pass")) {
      found.jumps.push_back(token.start());
    }
    type_before = token.getType();
  }
  return found;
}

bool any_in(const std::vector<uint32_t>& offsets, const Extent& extent) {
  return std::any_of(offsets.begin(), offsets.end(),
                     [&](uint32_t offset) { return extent.contains(offset); });
}
bool all_in(const std::vector<uint32_t>& offsets, const Extent& extent) {
  return std::all_of(offsets.begin(), offsets.end(),
                     [&](uint32_t offset) { return extent.contains(offset); });
}

// It may be a cell, which the inner function reads.
bool is_mentioned_inside(const Scope& scope, const Mentions& mentions) {
  return std::any_of(scope.children.begin(), scope.children.end(), [&](const Scope* inner) {
    // A comprehension's node is its first clause, which the element stands before.
    const bool comprehension = inner->kind == Scope::Kind::comprehension;
    return any_in(mentions.of_variable, extent_of(comprehension ? *inner->node->parent : *inner->node));
  });
}

// Code behind the block can run although an exception left it.
bool is_in_try_or_with(const AtomicBlock& block) {
  const auto& items = block.with.items;
  if (!std::all_of(items.begin(), items.end(), [](const WithItem& item) { return item.atomic; })) return true;
  for (const Node* node = block.statement->parent; node != block.scope->node; node = node->parent) {
    if (rule_of(*node) == Rules::RuleTry_statement || rule_of(*node) == Rules::RuleWith_statement)
      return true;
  }
  return false;
}

// Whether the first mention in the block is one that binds, and is always come by.
class FirstMention {
 public:
  FirstMention(const AtomicBlock& block, const Mentions& mentions, uint32_t first)
      : block_(block), mentions_(mentions), first_(first) {}

  bool binds() const {
    const auto& bound = block_.scope->bound;
    const bool is_binding =
        std::any_of(bound.begin(), bound.end(), [&](const Token* token) { return token->start() == first_; });
    return is_binding && (is_target_of_item() || is_target_in_body());
  }

 private:
  bool is_target_of_item() const {
    const auto& items = block_.with.items;
    return std::any_of(items.begin(), items.end(), [&](const WithItem& item) {
      return item.target != nullptr && extent_of(*item.target).contains(first_);
    });
  }

  bool is_target_in_body() const {
    for (const Node* child : block_.statement->children.back()->children) {
      if (!extent_of(*child).contains(first_)) continue;
      if (rule_of(*child) == Rules::RuleSimple_statement) return is_target_of(*child->children[0]);
      if (rule_of(*child) != Rules::RuleStatement) continue;
      for (const Node* part : child->children) {
        if (!extent_of(*part).contains(first_)) continue;
        return rule_of(*part) == Rules::RuleFor_statement ? is_target_of_loop(*part)
                                                          : is_target_of(*part->children[0]);
      }
    }
    return false;
  }

  // `a = b = value`, where the value does not mention it.
  bool is_target_of(const Node& statement) const {
    const auto& children = statement.children;
    if (rule_of(statement) != Rules::RuleExpression_statement || children.size() < 3) return false;
    return token_type(*children[1]) == Rules::EQUAL && first_ < start_of(*children.back()) &&
           !any_in(mentions_.of_variable, extent_of(*children.back()));
  }

  // `for a in values: …`, which mentions it nowhere else.
  bool is_target_of_loop(const Node& loop) const {
    const Extent targets = extent_of(*child_rule(loop, Rules::RuleTargets));
    const Extent values = extent_of(*child_rule(loop, Rules::RuleExpressions));
    const Extent body = extent_of(*child_rule(loop, Rules::RuleBlock));
    return targets.contains(first_) && !any_in(mentions_.of_variable, values) &&
           all_in(mentions_.of_variable, {targets.start, body.end});
  }

  const AtomicBlock& block_;
  const Mentions& mentions_;
  const uint32_t first_;
};

}  // namespace

bool is_bound_first(std::string_view source, const TokenList& tokens, const AtomicBlock& block,
                    std::string_view name) {
  if (block.scope->node == nullptr) return false;
  const Extent extent = extent_of(block);
  const Mentions mentions = mentions_in(source, tokens, *block.scope->node, name);
  if (!mentions.all_ascii || mentions.function_looks_at_itself) return false;
  if (is_mentioned_inside(*block.scope, mentions)) return false;
  const auto first = std::find_if(mentions.of_variable.begin(), mentions.of_variable.end(),
                                  [&](uint32_t offset) { return extent.contains(offset); });
  if (first == mentions.of_variable.end()) return false;
  if (!all_in(mentions.of_variable, extent)) {
    // Code behind the block reads it: each way there has to go by the binding.
    const Extent before{start_of(*block.statement->children.back()), *first};
    if (is_in_try_or_with(block) || any_in(mentions.jumps, before)) return false;
  }
  return FirstMention(block, mentions, *first).binds();
}

}  // namespace stmpy::compiler
