#include "analysis/flow.h"

#include "analysis/flow_builder.h"

namespace stmpy::compiler {

FlowBuilder::FlowBuilder(std::string_view source, const CompiledFunction& function)
    : source_(source), function_(function) {
  for (size_t i = 0; i < function.accesses.size(); ++i) {
    const Access& access = function.accesses[i];
    if (access.fate == Fate::as_written && !access.variable.empty() && access.kind != AccessKind::call)
      accesses_.emplace(access.dot, i);
  }
  graph_.blocks.resize(2);
  visit(*function.definition->children.back());
  connect(current_, FlowGraph::kExit);
}

void FlowBuilder::visit(const Node& node) {
  switch (rule_of(node)) {
    case kNoRule:
      return;
    case Rules::RuleSimple_statement: {
      const size_t rule = rule_of(*node.children[0]);
      const bool leaves = rule == Rules::RuleReturn_statement || rule == Rules::RuleRaise_statement;
      begin({leaves ? Place::Kind::needless : Place::Kind::behind, end_of(node)});
      if (token_type(*node.children[0]) == Rules::PASS) jump(*token_of(*node.children[0]));
      visit_children(node);
      begin({});
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

void FlowBuilder::visit_children(const Node& node) {
  for (const Node* child : node.children) visit(*child);
}

void FlowBuilder::visit_assignment(const Node& node) {
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
bool FlowBuilder::is_fresh(const Node& value) {
  const Node* primary = sole_primary(value);
  if (primary == nullptr || token_type(*primary->children[0]) == Rules::NAME) return false;
  const bool brackets = token_type(*primary->children[0]) == Rules::OPEN_BRACKET ||
                        token_type(*primary->children[0]) == Rules::OPEN_BRACE;
  if (!brackets)
    return token_type(*primary->children[0]) != Rules::OPEN_PAREN && primary->children.size() == 1;
  const size_t closing = token_type(*primary->children.back());
  return primary->children.size() <= 3 && (closing == Rules::CLOSE_BRACKET || closing == Rules::CLOSE_BRACE);
}

// --- branches and loops

void FlowBuilder::visit_if(const Node& node) {
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

void FlowBuilder::enter_loop(const Node& node) {
  graph_.loops.push_back({0, 0, line_above(start_of(node))});
  add({FlowEvent::Kind::loop, graph_.loops.size() - 1, {}, {}, {}, false});
}

void FlowBuilder::visit_while(const Node& node) {
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

void FlowBuilder::visit_for(const Node& node) {
  enter_loop(node);
  const size_t index = graph_.loops.size() - 1;
  visit(*node.children[3]);
  const uint32_t turn = block({current_});
  loops_.push_back({{}, turn, finals_.size()});
  current_ = block({turn});
  const Node& body = *node.children[5];
  begin(front_of(body));
  visit_target(*node.children[1]);
  begin({});
  visit(body);
  end_loop(node, index, turn, turn);
}

// `condition`: from where the loop ends by itself.
void FlowBuilder::end_loop(const Node& node, size_t index, uint32_t turn, uint32_t condition) {
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

bool FlowBuilder::is_true(const Node& condition) const {
  const Node* primary = sole_primary(condition);
  return primary != nullptr && primary->children.size() == 1 && token_of(*primary->children[0]) != nullptr &&
         token_of(*primary->children[0])->text(source_) == "True";
}

// Nothing but indentation may stand in front of a compound statement for it to take a line of ours.
InsertionPlace FlowBuilder::line_above(uint32_t statement) const {
  const size_t line = source_.find_last_of("\r\n", statement) + 1;
  const bool alone =
      source_.substr(line, statement - line).find_first_not_of(" \t") == std::string_view::npos;
  return {alone ? Place::Kind::line : Place::Kind::nowhere, statement};
}

// Where the block's first statement begins.
InsertionPlace FlowBuilder::front_of(const Node& body) const {
  const Node* first = body.children[0];
  if (rule_of(*first) == Rules::RuleSimple_statement) return {Place::Kind::in_front, start_of(*first)};
  const Node& statement = *child_rule(body, Rules::RuleStatement);
  const bool simple = rule_of(*statement.children[0]) == Rules::RuleSimple_statement;
  if (simple) return {Place::Kind::in_front, start_of(statement)};
  return line_above(start_of(statement));
}

// `pass`, `break` and `continue`.
void FlowBuilder::jump(const Token& keyword) {
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

// To `target`, through all `finally` but the outermost `depth`.
void FlowBuilder::leave(uint32_t target, size_t depth) {
  go(current_, target, depth);
  end_here();
}

void FlowBuilder::go(uint32_t from, uint32_t target, size_t depth) {
  if (finals_.size() == depth) return connect(from, target);
  connect(from, finals_.back().entry);
  finals_.back().onward.emplace_back(target, depth);
}

void FlowBuilder::visit_try(const Node& node) {
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

void FlowBuilder::visit_handler(const Node& clause) {
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
void FlowBuilder::visit_with(const Node& node) {
  const uint32_t swallowed = block({current_});
  finals_.push_back({block(), {}});
  begin(front_of(*node.children.back()));
  for (const Node* child : node.children) {
    if (rule_of(*child) == Rules::RuleWith_item) visit_with_items(*child);
  }
  begin({});
  visit(*node.children.back());
  end_final({current_, swallowed}, [] {});
}

// `a as b`, or several of them in brackets. Each is entered before the next one is evaluated.
void FlowBuilder::visit_with_items(const Node& node) {
  const Node* primary = sole_primary(node);
  const bool brackets = primary != nullptr && primary->children.size() == 3 &&
                        token_type(*primary->children[0]) == Rules::OPEN_PAREN;
  if (brackets && rule_of(*primary->children[1]) == Rules::RuleElements) {
    visit_with_children(*primary->children[1]);
  } else {
    visit_with_children(node);
  }
}

void FlowBuilder::visit_with_children(const Node& node) {
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

void FlowBuilder::visit_match(const Node& node) {
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
void FlowBuilder::bind_captures(const Node& node) {
  if (const Token* token = token_of(node)) {
    if (token->getType() == Rules::NAME) bind(*token);
    return;
  }
  for (const Node* child : node.children) bind_captures(*child);
}

// What is evaluated where it is defined.
void FlowBuilder::visit_definition(const Node& node) {
  for (const Node* child : node.children) {
    const size_t rule = rule_of(*child);
    if (rule == Rules::RuleParameters) visit_defaults(*child);
    if (rule == Rules::RuleElements) visit(*child);
  }
  begin({});
  bind(*token_of(*node.children[1]));
}

void FlowBuilder::visit_defaults(const Node& parameters) {
  for (const Node* parameter : parameters.children) {
    for (size_t i = 1; i < parameter->children.size(); ++i) {
      if (token_type(*parameter->children[i - 1]) == Rules::EQUAL) visit(*parameter->children[i]);
    }
  }
}

FlowGraph flow_of(std::string_view source, const CompiledFunction& function) {
  return FlowBuilder(source, function).take();
}

}  // namespace stmpy::compiler
