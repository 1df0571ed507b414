#include "analysis/atomic_blocks.h"

#include <algorithm>
#include <utility>

#include "analysis/first_binding.h"

namespace stmpy::compiler {

namespace {

const Node* suspension_in(const Node& node) {
  switch (rule_of(node)) {
    case kNoRule: {
      const size_t type = token_type(node);
      return type == Rules::AWAIT || type == Rules::ASYNC ? &node : nullptr;
    }
    case Rules::RuleYield:
      return &node;
    case Rules::RuleLambda:
      if (const Node* parameters = child_rule(node, Rules::RuleLambda_parameters))
        return suspension_in(*parameters);
      return nullptr;
    case Rules::RuleAsync_statement:
      if (rule_of(*node.children[1]) == Rules::RuleFunction_definition)
        return suspension_in(*node.children[1]);
      break;
    case Rules::RuleFunction_definition:
    case Rules::RuleClass_definition:
      // What is evaluated where it is defined; its body is a scope of its own.
      for (const Node* child : node.children) {
        if (child == node.children.back()) break;
        if (const Node* found = suspension_in(*child)) return found;
      }
      return nullptr;
    default:
      break;
  }
  for (const Node* child : node.children) {
    if (const Node* found = suspension_in(*child)) return found;
  }
  return nullptr;
}

class JumpFinder {
 public:
  explicit JumpFinder(std::string_view source) : source_(source) {}

  void visit(const Node& node, bool in_loop) {
    switch (rule_of(node)) {
      case kNoRule: {
        const Token& token = *token_of(node);
        if (in_loop || token.getType() != Rules::PASS) return;
        const std::string_view text = token.text(source_);
        if (text == "break") found_.breaks.push_back(&token);
        if (text == "continue") found_.continues.push_back(&token);
        return;
      }
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
      case Rules::RuleExpression_statement:
        return;
      case Rules::RuleFor_statement:
      case Rules::RuleWhile_statement: {
        const Node* body = child_rule(node, Rules::RuleBlock);
        for (const Node* child : node.children) visit(*child, in_loop || child == body);
        return;
      }
      default:
        for (const Node* child : node.children) visit(*child, in_loop);
    }
  }

  Jumps found() { return std::move(found_); }

 private:
  std::string_view source_;
  Jumps found_;
};

// Whether a variable that nothing ever unbinds is bound when control reaches a statement: by what comes
// before it, or around it.
class Dominators {
 public:
  Dominators(std::string_view source, const Scope& scope, std::string_view name) {
    for (const Token* token : scope.bound) {
      if (token->text(source) == name) places_.push_back(token->start());
    }
  }

  bool bind_before(const Node& statement) const {
    for (const Node* node = &statement; node->parent != nullptr; node = node->parent) {
      const Node& around = *node->parent;
      if (rule_of(around) == Rules::RuleFunction_definition) return false;
      for (const Node* before : around.children) {
        if (before == node) break;
        if (binds_when_it_ends(*before)) return true;
      }
    }
    return false;
  }

 private:
  bool is_in(uint32_t start, uint32_t end) const {
    return std::any_of(places_.begin(), places_.end(),
                       [&](uint32_t place) { return start <= place && place < end; });
  }
  bool is_in(const Node& node) const { return is_in(start_of(node), end_of(node)); }

  // A statement that control has gone through, or the head of one that it is in.
  bool binds_when_it_ends(const Node& node) const {
    switch (rule_of(node)) {
      case Rules::RuleStatement:
      case Rules::RuleSimple_statement:
        return std::any_of(node.children.begin(), node.children.end(),
                           [&](const Node* child) { return binds_when_it_ends(*child); });
      case Rules::RuleExpression_statement: {
        const size_t count = node.children.size();
        if (count < 3 || token_type(*node.children[1]) == Rules::COLON) return false;
        return is_in(start_of(node), start_of(*node.children[count - 1]));
      }
      case Rules::RuleImport_statement:
      case Rules::RuleFrom_statement:
      case Rules::RuleTargets:
        return is_in(node);
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
        return is_in(*node.children[1]);
      case Rules::RuleDecorated:
        return binds_when_it_ends(*node.children.back());
      case Rules::RuleWith_item:
        return node.children.size() == 3 && is_in(*node.children[2]);
      default:
        return false;
    }
  }

  std::vector<uint32_t> places_;
};

}  // namespace

Extent extent_of(const AtomicBlock& block) {
  const auto first = std::find_if(block.with.items.begin(), block.with.items.end(),
                                  [](const WithItem& item) { return item.atomic; });
  return {end_of(*first->expression), end_of(*block.statement)};
}

const Node* find_suspension(const AtomicBlock& block) {
  bool inside = false;
  for (const WithItem& item : block.with.items) {
    for (const Node* part : {item.expression, item.target}) {
      const Node* found = inside && part != nullptr ? suspension_in(*part) : nullptr;
      if (found != nullptr) return found;
      inside = inside || item.atomic;
    }
  }
  return suspension_in(*block.statement->children.back());
}

Jumps jumps_out_of(std::string_view source, const AtomicBlock& block) {
  JumpFinder finder(source);
  finder.visit(*block.statement->children.back(), false);
  return finder.found();
}

BoundNames names_bound_by(std::string_view source, const TokenList& tokens, const AtomicBlock& block) {
  const Extent extent = extent_of(block);
  BoundNames found;
  std::vector<std::string_view> seen;
  for (const Token* token : block.scope->bound) {
    const std::string_view name = token->text(source);
    if (!extent.contains(token->start()) || std::find(seen.begin(), seen.end(), name) != seen.end()) continue;
    seen.push_back(name);
    const auto entry = block.scope->names.find(name);
    const Name known = entry != block.scope->names.end() ? entry->second : Name();
    const bool is_plain = block.scope->kind != Scope::Kind::module && !known.nonlocal;
    if (known.global) {
      found.globals.push_back(name);
    } else if (is_plain && is_bound_first(source, tokens, block, name)) {
      continue;
    } else if (is_plain && !known.can_be_unbound &&
               (known.parameter || Dominators(source, *block.scope, name).bind_before(*block.statement))) {
      found.certain.push_back(name);
    } else {
      found.locals.push_back(name);
    }
  }
  return found;
}

}  // namespace stmpy::compiler
