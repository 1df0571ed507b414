#include "analysis/flow.h"

#include <unordered_map>

namespace stmpy::compiler {

namespace {

using Place = InsertionPlace;

class Builder {
 public:
  Builder(std::string_view source, const CompiledFunction& function) : source_(source) {
    for (size_t i = 0; i < function.accesses.size(); ++i) {
      const Access& access = function.accesses[i];
      if (access.fate == Fate::as_written && !access.variable.empty() && access.kind != AccessKind::call)
        accesses_.emplace(access.dot, i);
    }
    graph_.blocks.resize(2);
    visit(*function.definition->children.back());
    connect(current_, FlowGraph::kExit);
  }

  FlowGraph take() && { return std::move(graph_); }

 private:
  // A block that leads nowhere yet; `from` leads to it.
  uint32_t block(std::initializer_list<uint32_t> from = {}) {
    graph_.blocks.emplace_back();
    const auto made = static_cast<uint32_t>(graph_.blocks.size() - 1);
    for (const uint32_t each : from) connect(each, made);
    return made;
  }
  void connect(uint32_t from, uint32_t to) { graph_.blocks[from].successors.push_back(to); }

  // Behind a return, raise, break or continue: a block that nothing leads to.
  void end_here() { current_ = block(); }

  // An exception can come before and behind each event.
  void add(FlowEvent event) {
    if (handler_ != kNone) {
      connect(current_, handler_);
      current_ = block({current_});
    }
    graph_.blocks[current_].events.push_back(event);
    if (handler_ != kNone) {
      connect(current_, handler_);
      current_ = block({current_});
    }
  }
  void forget() { add({FlowEvent::Kind::forget, 0, {}, {}, {}, false}); }
  void bind(const Token& name) { add({FlowEvent::Kind::bind, 0, name.text(source_), {}, place_, fresh_}); }

  void add_access(const Node& dot) {
    const auto found = accesses_.find(token_of(dot)->start());
    if (found != accesses_.end()) add({FlowEvent::Kind::access, found->second, {}, {}, {}, false});
  }

  // What may be left out.
  template <class Visit>
  void maybe(Visit visit_it) {
    const uint32_t before = current_;
    current_ = block({before});
    visit_it();
    current_ = block({before, current_});
  }

  // --- statements

  void visit(const Node& node) {
    switch (rule_of(node)) {
      case kNoRule:
        return;
      case Rules::RuleSimple_statement: {
        const size_t rule = rule_of(*node.children[0]);
        const bool leaves = rule == Rules::RuleReturn_statement || rule == Rules::RuleRaise_statement;
        place_ = {leaves ? Place::Kind::needless : Place::Kind::behind, end_of(node)};
        if (token_type(*node.children[0]) == Rules::PASS) jump(*token_of(*node.children[0]));
        visit_children(node);
        place_ = {};
        return;
      }
      case Rules::RuleExpression_statement:
        return visit_assignment(node);
      case Rules::RuleReturn_statement:
        visit_children(node);
        return leave(FlowGraph::kExit, 0);
      case Rules::RuleRaise_statement:
        visit_children(node);
        if (handler_ != kNone) connect(current_, handler_);
        return end_here();
      case Rules::RuleDel_statement:
        return visit_target(*node.children[1]);
      case Rules::RuleAssert_statement:
        // Gone under -O.
        return maybe([&] { visit_children(node); });
      case Rules::RuleGlobal_statement:
        return;
      case Rules::RuleImport_name: {
        const Node& path = *node.children[0];
        return bind(*token_of(node.children.size() == 3 ? *node.children[2] : *path.children[0]));
      }
      case Rules::RuleType_statement:
        return bind(*token_of(*node.children[1]));
      case Rules::RuleIf_statement:
        return visit_if(node);
      case Rules::RuleWhile_statement:
        return visit_while(node);
      case Rules::RuleFor_statement:
        return visit_for(node);
      case Rules::RuleTry_statement:
        return visit_try(node);
      case Rules::RuleWith_statement:
        return visit_with(node);
      case Rules::RuleMatch_statement:
        return visit_match(node);
      case Rules::RuleDecorated:
        visit_children(node);
        return forget();
      case Rules::RuleFunction_definition:
      case Rules::RuleClass_definition:
        return visit_definition(node);
      default:
        return visit_expression(node);
    }
  }

  void visit_children(const Node& node) {
    for (const Node* child : node.children) visit(*child);
  }

  void visit_assignment(const Node& node) {
    const size_t count = node.children.size();
    if (count == 1) return visit(*node.children[0]);
    const Node& target = *node.children[0];
    const Node& value = *node.children.back();
    switch (token_type(*node.children[1])) {
      case Rules::EQUAL:
        visit(value);
        if (const Token* to = sole_name(target), *from = sole_name(value); count == 3 && to && from)
          return add({FlowEvent::Kind::copy, 0, to->text(source_), from->text(source_), place_, false});
        fresh_ = count == 3 && is_fresh(value);
        for (size_t i = 0; i + 1 < count; i += 2) visit_target(*node.children[i]);
        fresh_ = false;
        return;
      case Rules::COLON:
        if (count > 3) visit(value);
        if (count > 3 || sole_name(target) == nullptr) visit_target(target);
        return;
      default:
        // The target is loaded first; a name has no access, but is bound last.
        if (sole_name(target) == nullptr) visit_target(target);
        visit(value);
        if (sole_name(target) != nullptr) visit_target(target);
    }
  }

  // A literal, or a container that is made right here.
  static bool is_fresh(const Node& value) {
    const Node* primary = sole_primary(value);
    if (primary == nullptr || token_type(*primary->children[0]) == Rules::NAME) return false;
    const bool brackets = token_type(*primary->children[0]) == Rules::OPEN_BRACKET ||
                          token_type(*primary->children[0]) == Rules::OPEN_BRACE;
    if (!brackets)
      return token_type(*primary->children[0]) != Rules::OPEN_PAREN && primary->children.size() == 1;
    const size_t closing = token_type(*primary->children.back());
    return primary->children.size() <= 3 &&
           (closing == Rules::CLOSE_BRACKET || closing == Rules::CLOSE_BRACE);
  }

  // --- branches and loops

  void visit_if(const Node& node) {
    std::vector<uint32_t> ends;
    bool has_else = false;
    for (const Node* child : node.children) {
      const size_t rule = rule_of(*child);
      if (rule == Rules::RuleExpression) {
        visit(*child);
      } else if (token_type(*child) == Rules::ELSE) {
        has_else = true;
      } else if (rule == Rules::RuleBlock) {
        const uint32_t condition = current_;
        current_ = block({condition});
        visit(*child);
        ends.push_back(current_);
        current_ = has_else ? block() : block({condition});
      }
    }
    for (const uint32_t end : ends) connect(end, current_);
  }

  struct Loop {
    std::vector<uint32_t> breaks;
    uint32_t turn;
    size_t finals;  // how many `finally` are around it
  };

  void enter_loop(const Node& node) {
    graph_.loops.push_back({0, 0, line_above(start_of(node))});
    add({FlowEvent::Kind::loop, graph_.loops.size() - 1, {}, {}, {}, false});
  }

  void visit_while(const Node& node) {
    enter_loop(node);
    const size_t index = graph_.loops.size() - 1;
    const uint32_t turn = block({current_});
    loops_.push_back({{}, turn, finals_.size()});
    current_ = turn;
    visit(*node.children[1]);
    const uint32_t condition = current_;
    current_ = block({condition});
    visit(*node.children[3]);
    end_loop(node, index, turn, is_true(*node.children[1]) ? kNone : condition);
  }

  void visit_for(const Node& node) {
    enter_loop(node);
    const size_t index = graph_.loops.size() - 1;
    visit(*node.children[3]);
    const uint32_t turn = block({current_});
    loops_.push_back({{}, turn, finals_.size()});
    current_ = block({turn});
    const Node& body = *node.children[5];
    place_ = front_of(body);
    visit_target(*node.children[1]);
    place_ = {};
    visit(body);
    end_loop(node, index, turn, turn);
  }

  // `condition`: from where the loop ends by itself.
  void end_loop(const Node& node, size_t index, uint32_t turn, uint32_t condition) {
    connect(current_, turn);
    graph_.loops[index].first = turn;
    graph_.loops[index].last = static_cast<uint32_t>(graph_.blocks.size());
    const Loop loop = std::move(loops_.back());
    loops_.pop_back();
    current_ = condition == kNone ? block() : block({condition});
    if (child_token(node, Rules::ELSE) != nullptr) visit(*node.children.back());
    const uint32_t after = block({current_});
    for (const uint32_t each : loop.breaks) connect(each, after);
    current_ = after;
  }

  bool is_true(const Node& condition) const {
    const Node* primary = sole_primary(condition);
    return primary != nullptr && primary->children.size() == 1 &&
           token_of(*primary->children[0]) != nullptr &&
           token_of(*primary->children[0])->text(source_) == "True";
  }

  // Nothing but indentation may stand in front of a compound statement for it to take a line of ours.
  Place line_above(uint32_t statement) const {
    const size_t line = source_.find_last_of("\r\n", statement) + 1;
    const bool alone =
        source_.substr(line, statement - line).find_first_not_of(" \t") == std::string_view::npos;
    return {alone ? Place::Kind::line : Place::Kind::nowhere, statement};
  }

  // Where the block's first statement begins.
  Place front_of(const Node& body) const {
    const Node* first = body.children[0];
    if (rule_of(*first) == Rules::RuleSimple_statement) return {Place::Kind::in_front, start_of(*first)};
    const Node& statement = *child_rule(body, Rules::RuleStatement);
    const bool simple = rule_of(*statement.children[0]) == Rules::RuleSimple_statement;
    if (simple) return {Place::Kind::in_front, start_of(statement)};
    return line_above(start_of(statement));
  }

  // `pass`, `break` and `continue`.
  void jump(const Token& keyword) {
    const std::string_view text = keyword.text(source_);
    if (text == "pass" || loops_.empty()) return;
    Loop& loop = loops_.back();
    if (text == "continue") return leave(loop.turn, loop.finals);
    if (finals_.size() == loop.finals) {
      loop.breaks.push_back(current_);
    } else {
      // Behind the `finally` the loop's end comes.
      const uint32_t landing = block();
      loop.breaks.push_back(landing);
      leave(landing, loop.finals);
    }
    end_here();
  }

  // --- exceptions

  struct Final {
    uint32_t entry;
    std::vector<std::pair<uint32_t, size_t>> onward;  // where to, through all but so many `finally`
  };

  // To `target`, through all `finally` but the outermost `depth`.
  void leave(uint32_t target, size_t depth) {
    go(current_, target, depth);
    end_here();
  }
  void go(uint32_t from, uint32_t target, size_t depth) {
    if (finals_.size() == depth) return connect(from, target);
    connect(from, finals_.back().entry);
    finals_.back().onward.emplace_back(target, depth);
  }

  void visit_try(const Node& node) {
    const Node* final_block = child_token(node, Rules::FINALLY) != nullptr ? node.children.back() : nullptr;
    const uint32_t outer = handler_;
    const uint32_t raised = block();  // an exception of the body, before it is known who handles it
    if (final_block != nullptr) finals_.push_back({block(), {}});
    const uint32_t unhandled = final_block != nullptr ? finals_.back().entry : outer;
    if (unhandled != kNone) connect(raised, unhandled);

    std::vector<uint32_t> ends;
    handler_ = raised;
    connect(current_, raised);
    visit(*node.children[2]);
    handler_ = unhandled;
    for (size_t i = 3; i < node.children.size(); ++i) {
      if (token_type(*node.children[i]) == Rules::ELSE) visit(*node.children[i + 2]);
    }
    ends.push_back(current_);
    for (const Node* child : node.children) {
      if (rule_of(*child) != Rules::RuleExcept_clause) continue;
      current_ = block({raised});
      visit_handler(*child);
      ends.push_back(current_);
    }
    handler_ = outer;
    if (final_block == nullptr) {
      current_ = block();
      for (const uint32_t end : ends) connect(end, current_);
      return;
    }
    end_final(ends, [&] { visit(*final_block); });
    if (outer != kNone) connect(current_, outer);
  }

  // What `body` does is done on every way out.
  template <class Body>
  void end_final(const std::vector<uint32_t>& ends, Body body) {
    const Final final = std::move(finals_.back());
    finals_.pop_back();
    for (const uint32_t end : ends) connect(end, final.entry);
    current_ = final.entry;
    forget();
    body();
    for (const auto& [target, depth] : final.onward) go(current_, target, depth);
    current_ = block({current_});
  }

  void visit_handler(const Node& clause) {
    forget();
    const Node* name = child_token(clause, Rules::NAME);
    for (const Node* child : clause.children) {
      if (rule_of(*child) == Rules::RuleBlock && name != nullptr) bind(*token_of(*name));
      visit(*child);
    }
    if (name != nullptr) bind(*token_of(*name));  // and unbound at the end
  }

  // It can be a transaction of its own, and its end can swallow an exception: few do, so what stands in it
  // counts as certain where nothing else than an exception is in the way.
  void visit_with(const Node& node) {
    const uint32_t swallowed = block({current_});
    finals_.push_back({block(), {}});
    place_ = front_of(*node.children.back());
    for (const Node* child : node.children) {
      if (rule_of(*child) == Rules::RuleWith_item) visit_with_items(*child);
    }
    place_ = {};
    visit(*node.children.back());
    end_final({current_, swallowed}, [] {});
  }

  // `a as b`, or several of them in brackets. Each is entered before the next one is evaluated.
  void visit_with_items(const Node& node) {
    const Node* primary = sole_primary(node);
    const bool brackets = primary != nullptr && primary->children.size() == 3 &&
                          token_type(*primary->children[0]) == Rules::OPEN_PAREN;
    if (brackets && rule_of(*primary->children[1]) == Rules::RuleElements) {
      visit_with_children(*primary->children[1]);
    } else {
      visit_with_children(node);
    }
  }
  void visit_with_children(const Node& node) {
    for (size_t i = 0; i < node.children.size(); ++i) {
      const Node& child = *node.children[i];
      if (token_type(child) == Rules::AS) {
        visit_target(*node.children[++i]);
      } else {
        visit(child);
        forget();
      }
    }
  }

  void visit_match(const Node& node) {
    visit(*node.children[1]);
    std::vector<uint32_t> ends;
    for (const Node* child : node.children) {
      if (rule_of(*child) != Rules::RuleCase_block) continue;
      bind_captures(*child->children[1]);
      if (const Node* guard = child_rule(*child, Rules::RuleExpression)) visit(*guard);
      const uint32_t matched = current_;
      current_ = block({matched});
      visit(*child->children.back());
      ends.push_back(current_);
      current_ = block({matched});
    }
    for (const uint32_t end : ends) connect(end, current_);
  }

  // Every name in a pattern: more than are bound.
  void bind_captures(const Node& node) {
    if (const Token* token = token_of(node)) {
      if (token->getType() == Rules::NAME) bind(*token);
      return;
    }
    for (const Node* child : node.children) bind_captures(*child);
  }

  // What is evaluated where it is defined.
  void visit_definition(const Node& node) {
    for (const Node* child : node.children) {
      const size_t rule = rule_of(*child);
      if (rule == Rules::RuleParameters) visit_defaults(*child);
      if (rule == Rules::RuleElements) visit(*child);
    }
    place_ = {};
    bind(*token_of(*node.children[1]));
  }

  void visit_defaults(const Node& parameters) {
    for (const Node* parameter : parameters.children) {
      for (size_t i = 1; i < parameter->children.size(); ++i) {
        if (token_type(*parameter->children[i - 1]) == Rules::EQUAL) visit(*parameter->children[i]);
      }
    }
  }

  // --- expressions

  void visit_expression(const Node& node) {
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

  void visit_conditional(const Node& node) {
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
  void visit_operation(const Node& node) {
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

  void visit_primary(const Node& node, bool is_target) {
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

  void visit_target(const Node& node) {
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
  void visit_elements(const Node& node) {
    const auto& children = node.children;
    const bool unordered = has_stars_behind_keywords(node);
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
  }

  // Python evaluates the `*b` of `f(k=a, *b)` first.
  static bool has_stars_behind_keywords(const Node& elements) {
    bool keywords = false;
    for (const Node* child : elements.children) {
      if (token_type(*child) == Rules::EQUAL) keywords = true;
      if (keywords && first_token(*child).getType() == Rules::STAR) return true;
    }
    return false;
  }

  static constexpr uint32_t kNone = static_cast<uint32_t>(-1);

  std::string_view source_;
  std::unordered_map<uint32_t, size_t> accesses_;  // by the place of their dot
  FlowGraph graph_;
  uint32_t current_ = FlowGraph::kEntry;
  uint32_t handler_ = kNone;  // where exceptions go; none: out of the function
  std::vector<Loop> loops_;
  std::vector<Final> finals_;
  Place place_;  // of what is bound now
  bool fresh_ = false;
};

}  // namespace

FlowGraph flow_of(std::string_view source, const CompiledFunction& function) {
  return Builder(source, function).take();
}

}  // namespace stmpy::compiler
