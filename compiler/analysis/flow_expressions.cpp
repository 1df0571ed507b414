#include "analysis/flow_builder.h"

namespace stmpy::compiler {

void FlowBuilder::visit_expression(const Node& node) {
  switch (rule_of(node)) {
    case Rules::RuleExpression:
      return visit_conditional(node);
    case Rules::RuleLambda:
      if (const Node* parameters = child_rule(node, Rules::RuleLambda_parameters))
        visit_defaults(*parameters);
      return;
    case Rules::RuleOperation:
      return visit_operation(node);
    case Rules::RulePrimary:
      return visit_primary(node, false);
    case Rules::RuleElements:
      return visit_elements(node);
    default:
      return visit_children(node);
  }
}

void FlowBuilder::visit_conditional(const Node& node) {
  for (size_t i = 0; i < node.children.size(); ++i) {
    const Node& child = *node.children[i];
    const size_t following = i + 1 < node.children.size() ? token_type(*node.children[i + 1]) : 0;
    if (following == Rules::IF) {  // `child if condition else other`
      visit(*node.children[i + 2]);
      const uint32_t condition = current_;
      current_ = block({condition});
      visit(child);
      const uint32_t end = current_;
      current_ = block({condition});
      visit(*node.children[i + 4]);
      current_ = block({end, current_});
      return;
    }
    if (following == Rules::WALRUS) {
      visit(*node.children[i + 2]);
      if (const Token* name = sole_name(child)) bind(*name);
      return;
    }
    visit(child);
  }
}

// Behind `and`, `or` and the second comparison of a chain anything may be left out.
void FlowBuilder::visit_operation(const Node& node) {
  bool optional = false;
  int comparisons = 0;
  for (const Node* child : node.children) {
    if (const Token* token = token_of(*child)) {
      const std::string_view text = token->text(source_);
      if (text == "and" || text == "or") optional = true;
      const bool compares = token->getType() == Rules::IN || text == "is" || text == "==" || text == "!=" ||
                            text == "<" || text == "<=" || text == ">" || text == ">=" || text == "<>";
      if (compares && ++comparisons > 1) optional = true;
    } else if (optional) {
      maybe([&] { visit(*child); });
    } else {
      visit(*child);
    }
  }
}

void FlowBuilder::visit_primary(const Node& node, bool is_target) {
  const auto& children = node.children;
  for (size_t i = 0; i < children.size(); ++i) {
    if (i > 0 && token_type(*children[i]) == Rules::DOT) {
      add_access(*children[i++]);
    } else {
      visit(*children[i]);
    }
  }
  if (is_target && children.size() == 1 && token_type(*children[0]) == Rules::NAME)
    bind(*token_of(*children[0]));
}

void FlowBuilder::visit_target(const Node& node) {
  if (token_of(node) != nullptr) return;
  if (rule_of(node) != Rules::RulePrimary) {
    for (const Node* child : node.children) visit_target(*child);
    return;
  }
  const bool is_group = node.children.size() == 3 && rule_of(*node.children[1]) == Rules::RuleElements &&
                        token_type(*node.children[0]) != Rules::NAME;
  if (is_group) return visit_target(*node.children[1]);
  visit_primary(node, true);
}

// Of a comprehension, only its first iterable is evaluated here.
void FlowBuilder::visit_elements(const Node& node) {
  const auto& children = node.children;
  const bool unordered = has_stars_behind_keywords(node);
  const Place place = place_;
  if (unordered) place_ = {};  // an access in front of a binding may come behind it
  for (size_t i = 0; i < children.size(); ++i) {
    size_t end = i;
    const Node* comprehension = nullptr;
    for (; end < children.size() && token_type(*children[end]) != Rules::COMMA; ++end) {
      if (comprehension == nullptr && rule_of(*children[end]) == Rules::RuleComprehension)
        comprehension = children[end];
    }
    const auto visit_one = [&] {
      if (comprehension != nullptr) return visit(*child_rule(*comprehension, Rules::RuleOperation));
      for (; i < end; ++i) {
        if (token_type(*children[i]) == Rules::AS) {
          visit_target(*children[++i]);
        } else if (i + 1 >= end || token_type(*children[i + 1]) != Rules::EQUAL) {
          visit(*children[i]);
        }
      }
    };
    unordered ? maybe(visit_one) : visit_one();
    i = end;
  }
  place_ = place;
}

// Python evaluates the `*b` of `f(k=a, *b)` first.
bool FlowBuilder::has_stars_behind_keywords(const Node& elements) {
  bool keywords = false;
  for (const Node* child : elements.children) {
    if (token_type(*child) == Rules::EQUAL) keywords = true;
    if (keywords && first_token(*child).getType() == Rules::STAR) return true;
  }
  return false;
}

}  // namespace stmpy::compiler
