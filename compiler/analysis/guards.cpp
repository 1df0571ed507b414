#include "analysis/guards.h"

#include <algorithm>
#include <unordered_set>

#include "analysis/decorators.h"
#include "analysis/with_items.h"

namespace stmpy::compiler {

namespace {

// Python's own exceptions that are not, and do not hold, an AbortTransaction's bases.
const std::unordered_set<std::string_view> kHarmless{
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
};

// What encloses a statement in its function. A `finally` in a handler is left alone: the exception that is
// handled then may be the handler's, and nothing tells.
struct Place {
  bool in_handler = false;
  bool in_finally = false;
  bool jump_leaves_finally = false;
};

class Collector {
 public:
  Collector(std::string_view source, const Scopes& scopes, const Scope& scope, Guards& guards)
      : source_(source), scopes_(scopes), scope_(scope), guards_(guards) {}

  void visit(const Node& node, const Place& place) {
    switch (rule_of(node)) {
      case kNoRule:
        return visit_jump(*token_of(node), place);
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
      case Rules::RuleExpression_statement:
        return;
      case Rules::RuleReturn_statement:
        if (place.in_finally) guards_.returns.push_back(&node);
        return;
      case Rules::RuleWhile_statement:
      case Rules::RuleFor_statement:
        return visit_loop(node, place);
      case Rules::RuleTry_statement:
        return visit_try(node, place);
      case Rules::RuleWith_statement:
        if (!is_harmless_with(node)) guards_.withs.push_back(&node);
        return visit_children(node, place);
      default:
        return visit_children(node, place);
    }
  }

 private:
  void visit_children(const Node& node, const Place& place) {
    for (const Node* child : node.children) visit(*child, place);
  }

  void visit_jump(const Token& token, const Place& place) {
    if (place.jump_leaves_finally && is_jump(token)) guards_.jumps.push_back(&token);
  }
  bool is_jump(const Token& token) const {
    return token.getType() == Rules::PASS && token.text(source_) != "pass";
  }

  void visit_loop(const Node& node, const Place& place) {
    Place inside = place;
    inside.jump_leaves_finally = false;
    const Node* body = child_rule(node, Rules::RuleBlock);
    const bool calls_in_condition =
        rule_of(node) == Rules::RuleWhile_statement && makes_call(*node.children[1]);
    if (calls_in_condition || makes_call(*body)) guards_.loops.push_back(&node);
    for (const Node* child : node.children) visit(*child, child == body ? inside : place);
  }

  void visit_try(const Node& node, const Place& place) {
    const Node* last_clause = nullptr;
    for (const Node* child : node.children) {
      if (rule_of(*child) == Rules::RuleExcept_clause) last_clause = child;
    }
    bool finally = false;
    for (const Node* child : node.children) {
      finally = finally || token_type(*child) == Rules::FINALLY;
      Place inside = place;
      if (rule_of(*child) == Rules::RuleExcept_clause) {
        visit_handler(*child, child == last_clause);
        inside = {true, false, false};
      } else if (finally) {
        // Out of one of two, the exception that is handled may be the other's.
        inside = {place.in_handler, !place.in_handler, !place.in_handler && !place.in_finally};
      }
      visit(*child, inside);
    }
  }

  void visit_handler(const Node& clause, bool is_last) {
    const Node* types = child_rule(clause, Rules::RuleExpressions);
    // Python itself refuses an `except:` with others behind it.
    if (types == nullptr ? !is_last : is_harmless(*types)) return;
    if (!always_raises(*clause.children.back())) guards_.handlers.push_back(&clause);
  }

  // A handler that ends in a `raise`, and is left in no other way, swallows nothing: it cleans up.
  bool always_raises(const Node& block) const {
    const Node* last = block.children.back();
    for (auto child = block.children.rbegin(); child != block.children.rend(); ++child) {
      const size_t rule = rule_of(**child);
      if (rule != Rules::RuleStatement && rule != Rules::RuleSimple_statement) continue;
      last = *child;
      break;
    }
    if (rule_of(*last) == Rules::RuleStatement) {
      for (const Node* child : last->children) {
        if (rule_of(*child) != kNoRule) last = child;
      }
    }
    const bool raises = rule_of(*last) == Rules::RuleSimple_statement &&
                        rule_of(*last->children[0]) == Rules::RuleRaise_statement;
    return raises && !has_jump(block, false);
  }

  bool has_jump(const Node& node, bool in_loop) const {
    switch (rule_of(node)) {
      case kNoRule:
        return !in_loop && is_jump(*token_of(node));
      case Rules::RuleReturn_statement:
        return true;
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
        return false;
      case Rules::RuleFor_statement:
      case Rules::RuleWhile_statement:
        in_loop = true;
        break;
      default:
        break;
    }
    return std::any_of(node.children.begin(), node.children.end(),
                       [&](const Node* child) { return has_jump(*child, in_loop); });
  }

  // Only names of Python's own, one or a tuple of them.
  bool is_harmless(const Node& types) const {
    if (rule_of(types) == Rules::RuleExpressions || rule_of(types) == Rules::RuleElements) {
      return std::all_of(types.children.begin(), types.children.end(), [&](const Node* child) {
        return token_type(*child) == Rules::COMMA ||
               (rule_of(*child) == Rules::RuleExpression && is_harmless(*child));
      });
    }
    const Node* inner = types.children.back();  // behind the star of `except*`
    const Node* primary = sole_primary(*inner);
    if (primary == nullptr) return false;
    if (primary->children.size() == 3 && rule_of(*primary->children[1]) == Rules::RuleElements &&
        token_type(*primary->children[0]) == Rules::OPEN_PAREN) {
      return is_harmless(*primary->children[1]);
    }
    const Token* name = sole_name(*inner);
    return name != nullptr && kHarmless.contains(name->text(source_)) && is_pythons(*name);
  }

  bool is_pythons(const Token& name) const {
    return scopes_.resolve(scope_, name.text(source_)).meaning == Meaning::nothing;
  }

  // Files swallow nothing, nor do blocks of ours.
  bool is_harmless_with(const Node& statement) const {
    const WithItems with = items_of(statement);
    return std::all_of(with.items.begin(), with.items.end(), [&](const WithItem& item) {
      const DecoratorPath path = path_of(unbracketed(*item.expression));
      const Token* name = path.sole_name();
      const bool opens = name != nullptr && name->text(source_) == "open" && is_pythons(*name);
      return path.called && (opens || meaning_of(path, scopes_, scope_, source_) == Meaning::atomic);
    });
  }

  static bool makes_call(const Node& node) {
    switch (rule_of(node)) {
      case kNoRule:
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
      case Rules::RuleLambda:
        return false;
      case Rules::RulePrimary:
        for (size_t i = 1; i < node.children.size(); ++i) {
          if (token_type(*node.children[i]) == Rules::OPEN_PAREN) return true;
        }
        break;
      default:
        break;
    }
    return std::any_of(node.children.begin(), node.children.end(),
                       [](const Node* child) { return makes_call(*child); });
  }

  std::string_view source_;
  const Scopes& scopes_;
  const Scope& scope_;
  Guards& guards_;
};

}  // namespace

void collect_guards(std::string_view source, const Scopes& scopes, const Scope& scope, const Node& body,
                    Guards& guards) {
  Collector(source, scopes, scope, guards).visit(body, {});
}

}  // namespace stmpy::compiler
