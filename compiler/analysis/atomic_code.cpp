#include "analysis/atomic_code.h"

#include <algorithm>
#include <set>

#include "analysis/decorators.h"

namespace stmpy::compiler {

namespace {

// What the definitions in a block are part of.
struct Surroundings {
  Scope* scope;
  std::string prefix;                      // of qualified names
  std::string function;                    // the qualified name of the function around
  const std::string* enclosing = nullptr;  // the same where it is compiled
  bool in_transaction = false;             // that one is atomic, or in one that is
};

struct Marking {
  Meaning meaning = Meaning::nothing;
  bool names_itself = false;
};

class Finder {
 public:
  Finder(std::string_view source, const LineTable& lines, Scopes& scopes, bool compile_all, AtomicCode& found)
      : source_(source), lines_(lines), scopes_(scopes), compile_all_(compile_all), found_(found) {}

  // Functions are statements: expressions are not looked into.
  void visit(const Node& node, const Surroundings& around) {
    switch (rule_of(node)) {
      case Rules::RuleFunction_definition:
        return visit_function(node, around, {}, false);
      case Rules::RuleClass_definition:
        return visit_class(node, around);
      case Rules::RuleDecorated:
        return visit_decorated(node, around);
      case Rules::RuleAsync_statement:
        if (rule_of(*node.children[1]) == Rules::RuleFunction_definition) {
          return visit_function(*node.children[1], around, {}, true);
        }
        return visit_children(*node.children[1], around);
      case Rules::RuleWith_statement:
        return visit_with(node, around);
      case Rules::RuleFile:
      case Rules::RuleStatement:
      case Rules::RuleBlock:
      case Rules::RuleIf_statement:
      case Rules::RuleWhile_statement:
      case Rules::RuleFor_statement:
      case Rules::RuleTry_statement:
      case Rules::RuleExcept_clause:
      case Rules::RuleMatch_statement:
      case Rules::RuleCase_block:
        return visit_children(node, around);
      default:
        return;
    }
  }

 private:
  void visit_children(const Node& node, const Surroundings& around) {
    for (const Node* child : node.children) visit(*child, around);
  }

  std::string_view text(const Token& token) const { return token.text(source_); }

  void report(const Rule& rule, uint32_t offset, std::string message) {
    found_.diagnostics.push_back({&rule, lines_.position(offset), std::move(message)});
  }

  void visit_decorated(const Node& node, const Surroundings& around) {
    const Node* definition = node.children.back();
    const bool is_async = rule_of(*definition) == Rules::RuleAsync_statement;
    if (is_async) definition = definition->children[1];
    if (rule_of(*definition) != Rules::RuleFunction_definition) return visit(*definition, around);

    const Token& name = *token_of(*definition->children[1]);
    Marking marking;
    for (const Node* decorator : node.children) {
      if (rule_of(*decorator) != Rules::RuleDecorator) break;
      const DecoratorPath path = decorator_path(*decorator);
      const Meaning meaning = meaning_of(path, *around.scope);
      if (!marks(meaning)) continue;
      // What starts a transaction decides, wherever it stands.
      if (!starts_transaction(marking.meaning)) marking.meaning = meaning;
      if (meaning == Meaning::atomic && path.sole_name() != nullptr &&
          text(*path.sole_name()) == text(name)) {
        marking.names_itself = true;
      }
    }
    visit_function(*definition, around, marking, is_async);
  }

  Meaning meaning_of(const DecoratorPath& path, const Scope& scope) {
    if (path.names.empty() || path.names.size() > 2) return Meaning::other;
    const Token& root = *path.names.front();
    const Name& name = scopes_.resolve(scope, text(root));
    if (name.rebound && reported_.insert(name.rebound_at).second) {
      const uint32_t line = lines_.position(name.rebound_at).line;
      report(rules::rebound_decorator, root.start(),
             std::string(text(root))
                 .append(" is also bound to something else, in line ")
                 .append(std::to_string(line)));
    }
    return stmpy::compiler::meaning_of(path, scopes_, scope, source_);
  }

  void visit_function(const Node& node, const Surroundings& around, const Marking& marking, bool is_async) {
    const Token& name = *token_of(*node.children[1]);
    Scope& scope = scopes_.of(node);
    const bool transaction = starts_transaction(marking.meaning);
    const std::string qualified = around.prefix + std::string(text(name));
    if (transaction && (is_async || scope.suspends)) {
      report(rules::suspending_transaction, name.start(),
             qualified + (is_async ? " is a coroutine function" : " is a generator function") +
                 " and cannot be atomic");
      return;
    }

    bool in_transaction = transaction || around.in_transaction;
    std::string reason;
    if (transaction) {
      reason = marking.meaning == Meaning::atomic ? "@atomic" : "@atomically";
    } else if (marking.meaning == Meaning::compiled) {
      reason = "@compiled";
    } else if (marking.meaning == Meaning::invariant) {
      reason = "@invariant";
    } else if (around.enclosing != nullptr) {
      reason = std::string("in ").append(*around.enclosing);
    } else if (compile_all_) {
      reason = "compile_all";
    } else if (holds_block(*node.children.back(), scope)) {
      reason = "with atomic()";
      in_transaction = true;
    }
    if (!reason.empty()) {
      const bool is_inner_block = marking.names_itself && around.scope->kind == Scope::Kind::function;
      found_.functions.push_back(
          {&node, &scope, qualified, reason, is_inner_block, is_async, in_transaction, {}, {}});
    }
    const Surroundings inside{&scope, qualified + ".<locals>.", qualified,
                              reason.empty() ? nullptr : &qualified, in_transaction};
    visit(*node.children.back(), inside);
  }

  void visit_class(const Node& node, const Surroundings& around) {
    const std::string prefix = around.prefix + std::string(text(*token_of(*node.children[1]))) + ".";
    visit(*node.children.back(),
          {&scopes_.of(node), prefix, around.function, around.enclosing, around.in_transaction});
  }

  // The items that are calls of `atomic`.
  AtomicBlock block_of(const Node& node, const Scope& scope) {
    AtomicBlock block{&node, &scope, items_of(node), {}};
    for (WithItem& item : block.with.items) {
      const DecoratorPath path = path_of(unbracketed(*item.expression));
      item.atomic = path.called && meaning_of(path, scope) == Meaning::atomic;
    }
    return block;
  }

  static bool is_atomic(const AtomicBlock& block) {
    return std::any_of(block.with.items.begin(), block.with.items.end(),
                       [](const WithItem& item) { return item.atomic; });
  }

  // Whether a function's own code has an atomic block.
  bool holds_block(const Node& node, const Scope& scope) {
    switch (rule_of(node)) {
      case kNoRule:
      case Rules::RuleSimple_statement:
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
        return false;
      case Rules::RuleAsync_statement:
        // `async with` is no block of ours.
        return rule_of(*node.children[1]) != Rules::RuleFunction_definition &&
               any_holds_block(*node.children[1], scope);
      case Rules::RuleWith_statement:
        if (const AtomicBlock block = block_of(node, scope); is_atomic(block)) return !find_suspension(block);
        break;
      default:
        break;
    }
    return any_holds_block(node, scope);
  }

  bool any_holds_block(const Node& node, const Scope& scope) {
    return std::any_of(node.children.begin(), node.children.end(),
                       [&](const Node* child) { return holds_block(*child, scope); });
  }

  void visit_with(const Node& node, const Surroundings& around) {
    AtomicBlock block = block_of(node, *around.scope);
    if (!is_atomic(block)) return visit_children(node, around);
    if (around.scope->kind == Scope::Kind::class_body) {
      report(rules::block_in_class_body, start_of(node), "'with atomic():' in the body of a class");
      return visit_children(node, around);
    }
    if (const Node* suspension = find_suspension(block)) {
      const std::string_view word = text(first_token(*suspension));
      report(rules::suspending_block, start_of(*suspension),
             std::string("'").append(word).append("' in a 'with atomic():' block"));
      return visit_children(node, around);
    }
    block.name = around.function;
    found_.blocks.push_back(std::move(block));
    Surroundings inside = around;
    inside.in_transaction = true;
    if (around.enclosing == nullptr) {
      found_.functions.push_back(
          {&node, around.scope, around.function, "with atomic()", false, false, true, {}, {}});
      inside.enclosing = &inside.function;
    }
    visit(*node.children.back(), inside);
  }

  std::string_view source_;
  const LineTable& lines_;
  Scopes& scopes_;
  bool compile_all_;
  AtomicCode& found_;
  std::set<uint32_t> reported_;  // other bindings of a decorator's name: one diagnostic each
};

}  // namespace

AtomicCode find_atomic_code(std::string_view source, const LineTable& lines, const Node& file, Scopes& scopes,
                            bool compile_all) {
  AtomicCode found;
  Finder(source, lines, scopes, compile_all, found).visit(file, {&scopes.module(), "", "<module>", nullptr});
  if (compile_all)
    found.functions.push_back(
        {&file, &scopes.module(), "<module>", "compile_all", false, false, false, {}, {}});
  return found;
}

}  // namespace stmpy::compiler
