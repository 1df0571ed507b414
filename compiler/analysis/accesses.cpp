#include "analysis/accesses.h"

#include <algorithm>
#include <optional>

#include "analysis/dynamic_places.h"
#include "analysis/inert.h"

namespace stmpy::compiler {

namespace {

// What is known about the place of an expression.
struct Context {
  const Scope* scope;
  std::string_view why_dynamic = dynamic_places::kNone;
  bool single_quoted = false;  // inside of f-strings in one of these quotes
  bool double_quoted = false;
  bool binds_names = true;  // a `:=` is legal

  // A body's reason ends where a function in it begins; any other goes on, so it takes that one's place.
  bool is_of_body() const {
    return why_dynamic == dynamic_places::kModuleBody || why_dynamic == dynamic_places::kClassBody;
  }

  Context dynamic(std::string_view why) const {
    Context inner = *this;
    if (inner.why_dynamic.empty() || is_of_body()) inner.why_dynamic = why;
    return inner;
  }

  // In an iterable of a comprehension.
  Context without_names() const {
    Context inner = *this;
    inner.binds_names = false;
    return inner;
  }

  Context function(const Scope& inner_scope) const {
    Context inner = *this;
    inner.scope = &inner_scope;
    if (is_of_body()) inner.why_dynamic = dynamic_places::kNone;
    return inner;
  }

  // One in a class body may be inlined into it, and meet the class's namespace.
  Context comprehension(const Scope& inner_scope) const {
    Context inner = function(inner_scope);
    inner.why_dynamic = why_dynamic == dynamic_places::kModuleBody ? dynamic_places::kNone : why_dynamic;
    return inner;
  }
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

class Collector {
 public:
  Collector(std::string_view source, const TokenList& tokens, const Scopes& scopes,
            CompiledFunction& function)
      : source_(source),
        tokens_(tokens),
        scopes_(scopes),
        function_(function.scope),
        accesses_(function.accesses) {}

  void visit(const Node& node, const Context& context) {
    switch (rule_of(node)) {
      case kNoRule:
        return;
      case Rules::RulePrimary:
        return visit_primary(node, context, AccessKind::load);
      case Rules::RuleExpression_statement:
        return visit_assignment(node, context);
      case Rules::RuleDel_statement:
        return visit_target(*node.children[1], context, AccessKind::remove);
      case Rules::RuleTargets:
        return visit_target(node, context, AccessKind::store);
      case Rules::RuleWith_item:
        visit(*node.children[0], context);
        if (node.children.size() == 3) visit_target(*node.children[2], context, AccessKind::store);
        return;
      case Rules::RuleElements:
        return visit_elements(node, context);
      case Rules::RuleLambda:
        if (const Node* parameters = child_rule(node, Rules::RuleLambda_parameters))
          visit(*parameters, context);
        return visit(*node.children.back(), context.function(scopes_.of(node)));
      case Rules::RuleFunction_definition:
        return visit_function(node, context);
      case Rules::RuleParameter:
        return visit_parameter(node, context);
      case Rules::RuleClass_definition:
        return visit_class(node, context);
      case Rules::RuleType_parameters:
      case Rules::RuleType_statement:
        return visit_children(node, context.dynamic(dynamic_places::kTypeParameters));
      case Rules::RuleClosed_pattern:
        return visit_pattern(node, context);
      case Rules::RuleFstring:
        return visit_fstring(node, context);
      case Rules::RuleReplacement:
        return visit_replacement(node, context);
      default:
        return visit_children(node, context);
    }
  }

 private:
  void visit_children(const Node& node, const Context& context) {
    for (const Node* child : node.children) visit(*child, context);
  }

  void visit_assignment(const Node& node, const Context& context) {
    const size_t count = node.children.size();
    if (count == 1) return visit(*node.children[0], context);
    const Node& target = *node.children[0];
    switch (token_type(*node.children[1])) {
      case Rules::EQUAL:
        for (size_t i = 0; i + 1 < count; ++i) visit_target(*node.children[i], context, AccessKind::store);
        return visit(*node.children.back(), context);
      case Rules::COLON:
        // Without a value nothing is stored, but the target's object is evaluated.
        visit_target(target, context, count > 3 ? std::optional(AccessKind::store) : std::nullopt);
        visit(*node.children[2], context.dynamic(dynamic_places::kAnnotation));
        if (count > 3) visit(*node.children.back(), context);
        return;
      default:
        return visit_update(node, context);
    }
  }

  void visit_update(const Node& node, const Context& context) {
    const Node& target = *node.children[0];
    const Node& operand = *node.children[2];
    const size_t before = accesses_.size();
    visit_target(target, context, AccessKind::update);
    const size_t own = accesses_.size() - 1;
    visit(operand, context);
    if (own + 1 == before || accesses_[own].kind != AccessKind::update) return;  // no attribute is its target
    Access& access = accesses_[own];
    const Token& augmented = *token_of(*node.children[1]);
    access.operator_start = augmented.start();
    access.operator_end = augmented.end();
    access.operand_end = end_of(operand);
    // Behind a closing bracket, as in `(o.x) += 1`, the target is no longer an expression of its own.
    access.inert_operand =
        access.name_end == end_of(target) && is_inert(source_, tokens_, *context.scope, operand);
    access.across_suspension = may_suspend(tokens_, operand);
  }

  // No kind: the target is evaluated, not used.
  void visit_target(const Node& node, const Context& context, std::optional<AccessKind> kind) {
    if (token_of(node) != nullptr) return;
    if (rule_of(node) == Rules::RulePrimary) return visit_primary(node, context, kind);
    for (const Node* child : node.children) visit_target(*child, context, kind);
  }

  // `kind` is that of the primary's last attribute; every other one is loaded.
  void visit_primary(const Node& node, const Context& context, std::optional<AccessKind> kind) {
    const auto& children = node.children;
    const bool is_target = kind != AccessKind::load;
    const bool is_group = children.size() == 3 && rule_of(*children[1]) == Rules::RuleElements &&
                          token_type(*children[0]) != Rules::NAME;
    if (is_target && is_group) return visit_target(*children[1], context, kind);

    const std::string_view base_name =
        token_type(*children[0]) == Rules::NAME ? token_of(*children[0])->text(source_) : std::string_view();
    for (size_t i = 0; i < children.size(); ++i) {
      if (i == 0 || token_type(*children[i]) != Rules::DOT) {
        // `(o.m)()` calls a method as `o.m()` does.
        const bool is_callee = i == 1 && children.size() > 3 && token_type(*children[3]) == Rules::OPEN_PAREN;
        const Node* callee = is_callee ? sole_primary(*children[i]) : nullptr;
        if (callee != nullptr) {
          visit_primary(*callee, context, AccessKind::call);
        } else {
          visit(*children[i], context);
        }
        continue;
      }
      const bool is_last = i + 2 == children.size();
      const bool is_callee = !is_last && token_type(*children[i + 2]) == Rules::OPEN_PAREN;
      const std::optional<AccessKind> own_kind = is_last     ? kind
                                                 : is_callee ? AccessKind::call
                                                             : AccessKind::load;
      if (!own_kind.has_value()) continue;
      Context own = context;
      if (own_kind == AccessKind::call) own = own.dynamic(dynamic_places::kMethodCall);
      if (base_name == "super" && token_type(*children[i - 1]) == Rules::CLOSE_PAREN && i <= 4) {
        own = own.dynamic(dynamic_places::kSuper);
      }
      add(node, *token_of(*children[i]), *token_of(*children[i + 1]), own, *own_kind);
      Access& access = accesses_.back();
      if (i != operand_length(children)) continue;
      if (const std::string_view why = why_free(*children[0], base_name, *context.scope); !why.empty()) {
        access.fate = Fate::free;
        access.why = why;
      } else if (context.scope == function_) {
        access.variable = base_name;
      }
    }
  }

  // How many of a primary's children its operand is: what comes behind are accesses, calls and subscripts.
  static size_t operand_length(const std::vector<Node*>& children) {
    const size_t first = token_type(*children[0]);
    size_t length = 1;
    if (first == Rules::OPEN_PAREN || first == Rules::OPEN_BRACKET || first == Rules::OPEN_BRACE) {
      return rule_of(*children[1]) == kNoRule ? 2 : 3;
    }
    const auto is_text = [&](size_t i) {
      return token_type(*children[i]) == Rules::STRING || rule_of(*children[i]) == Rules::RuleFstring;
    };
    while (length < children.size() && is_text(length)) ++length;
    return length;
  }

  // Why the object an operand is can be none that a transaction knows; empty where it may be one.
  std::string_view why_free(const Node& operand, std::string_view name, const Scope& scope) const {
    if (is_module(name, scope)) return free_bases::kModule;
    switch (token_type(operand)) {
      case Rules::NAME:
      case Rules::OPEN_PAREN:
        return {};
      default:
        return free_bases::kFresh;  // a literal or a display
    }
  }

  bool is_module(std::string_view name, const Scope& scope) const {
    if (name.empty()) return false;
    const Meaning meaning = scopes_.resolve(scope, name).meaning;
    return meaning == Meaning::module || meaning == Meaning::stmpy_module;
  }

  void add(const Node& primary, const Token& dot, const Token& name, const Context& context,
           AccessKind kind) {
    std::string attribute = mangled(*context.scope, name.text(source_));
    std::string_view why = context.why_dynamic;
    if (why.empty() && !is_ascii(attribute)) why = dynamic_places::kNonAscii;
    if (why.empty() && context.single_quoted && context.double_quoted) why = dynamic_places::kQuotes;
    Access access{};
    access.kind = kind;
    if (!why.empty()) access.fate = Fate::dynamic;
    access.why = why;
    access.base_start = start_of(primary);
    access.dot = dot.start();
    access.name_start = name.start();
    access.name_end = name.end();
    access.attribute = std::move(attribute);
    access.quote = context.double_quoted ? '\'' : '"';
    access.binds_names = context.binds_names;
    accesses_.push_back(std::move(access));
  }

  void visit_elements(const Node& node, const Context& context) {
    const auto& children = node.children;
    for (size_t i = 0; i < children.size(); ++i) {
      size_t end = i;
      const Node* comprehension = nullptr;
      for (; end < children.size() && token_type(*children[end]) != Rules::COMMA; ++end) {
        if (comprehension == nullptr && rule_of(*children[end]) == Rules::RuleComprehension) {
          comprehension = children[end];
        }
      }
      Context inner = context;
      if (comprehension != nullptr) inner = inner.comprehension(scopes_.of(*comprehension));
      for (; i < end; ++i) {
        if (children[i] == comprehension) {
          visit_first_comprehension(*comprehension, context, inner);
        } else if (token_type(*children[i]) == Rules::AS) {
          visit_target(*children[++i], context, AccessKind::store);
        } else if (!is_keyword(children, i, end)) {
          visit(*children[i], inner);
        }
      }
    }
  }

  // The `name` of `name=value` in a call.
  static bool is_keyword(const std::vector<Node*>& children, size_t at, size_t end) {
    return at + 1 < end && token_type(*children[at + 1]) == Rules::EQUAL;
  }

  // The first iterable is evaluated outside.
  void visit_first_comprehension(const Node& node, const Context& outer, const Context& inner) {
    bool first_iterable = true;
    for (const Node* part : node.children) {
      const bool outside = first_iterable && rule_of(*part) == Rules::RuleOperation;
      visit(*part, outside ? outer.without_names() : inner);
      if (outside) first_iterable = false;
    }
  }

  // A function inside: what is evaluated where it is defined. Its body is a compiled function of its own.
  void visit_function(const Node& node, const Context& context) {
    for (const Node* child : node.children) {
      const size_t rule = rule_of(*child);
      if (rule == Rules::RuleExpression) {
        visit(*child, context.dynamic(dynamic_places::kAnnotation));
      } else if (rule != Rules::RuleBlock) {
        visit(*child, context);
      }
    }
  }

  void visit_parameter(const Node& node, const Context& context) {
    for (size_t i = 0; i + 1 < node.children.size(); ++i) {
      const size_t type = token_type(*node.children[i]);
      if (type == Rules::COLON) visit(*node.children[i + 1], context.dynamic(dynamic_places::kAnnotation));
      if (type == Rules::EQUAL) visit(*node.children[i + 1], context);
    }
  }

  void visit_class(const Node& node, const Context& context) {
    const bool generic = child_rule(node, Rules::RuleType_parameters) != nullptr;
    for (const Node* child : node.children) {
      if (rule_of(*child) == Rules::RuleBlock) {
        Context body = context.dynamic(dynamic_places::kClassBody);
        body.scope = &scopes_.of(node);
        visit(*child, body);
      } else {
        // With type parameters the bases are evaluated in their scope.
        visit(*child, generic ? context.dynamic(dynamic_places::kTypeParameters) : context);
      }
    }
  }

  void visit_pattern(const Node& node, const Context& context) {
    if (const Node* path = child_rule(node, Rules::RuleDotted_name)) {
      for (size_t i = 1; i + 1 < path->children.size(); i += 2) {
        add(*path, *token_of(*path->children[i]), *token_of(*path->children[i + 1]),
            context.dynamic(dynamic_places::kPattern), AccessKind::load);
      }
    }
    visit_children(node, context);
  }

  void visit_fstring(const Node& node, const Context& context) {
    const std::string_view start = first_token(node).text(source_);
    Context inner = context;
    // Three of them do not end at one that stands in a field.
    const bool is_long = start.ends_with("'''") || start.ends_with("\"\"\"");
    if (!is_long) (start.back() == '"' ? inner.double_quoted : inner.single_quoted) = true;
    const bool is_template =
        start.substr(0, start.find_first_of("'\"")).find_first_of("tT") != std::string_view::npos;
    visit_children(node, is_template ? inner.dynamic(dynamic_places::kTemplateString) : inner);
  }

  void visit_replacement(const Node& node, const Context& context) {
    const bool shows_text = child_token(node, Rules::EQUAL) != nullptr;
    for (size_t i = 1; i < node.children.size(); ++i) {
      const bool is_value = i == 1;
      visit(*node.children[i],
            is_value && shows_text ? context.dynamic(dynamic_places::kSelfDocumenting) : context);
    }
  }

  std::string_view source_;
  const TokenList& tokens_;
  const Scopes& scopes_;
  const Scope* function_;
  std::vector<Access>& accesses_;
};

}  // namespace

void collect_accesses(std::string_view source, const TokenList& tokens, const Scopes& scopes,
                      CompiledFunction& function) {
  Collector collector(source, tokens, scopes, function);
  if (rule_of(*function.definition) != Rules::RuleFile) {
    return collector.visit(*function.definition->children.back(), Context{function.scope});
  }
  collector.visit(*function.definition, Context{function.scope}.dynamic(dynamic_places::kModuleBody));
  std::erase_if(function.accesses, [](const Access& access) { return access.fate == Fate::dynamic; });
}

}  // namespace stmpy::compiler
