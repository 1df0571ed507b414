// Builds the graph of a function: one walk over its statements (flow.cpp) and expressions
// (flow_expressions.cpp).

#pragma once

#include <unordered_map>

#include "analysis/flow.h"

namespace stmpy::compiler {

class FlowBuilder {
 public:
  FlowBuilder(std::string_view source, const CompiledFunction& function);

  FlowGraph take() && { return std::move(graph_); }

 private:
  using Place = InsertionPlace;

  struct Loop {
    std::vector<uint32_t> breaks;
    uint32_t turn;
    size_t finals;  // how many `finally` are around it
  };

  struct Final {
    uint32_t entry;
    std::vector<std::pair<uint32_t, size_t>> onward;  // where to, through all but so many `finally`
  };

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
  void bind(const Token& name) {
    add({FlowEvent::Kind::bind, 0, name.text(source_), {}, place_, fresh_});
    bound_here_.insert(name.text(source_));
  }

  void add_access(const Node& dot) {
    const auto found = accesses_.find(token_of(dot)->start());
    if (found == accesses_.end()) return;
    const std::string_view variable = function_.accesses[found->second].variable;
    if (bound_here_.contains(variable)) graph_.rebound_within.insert(variable);
    add({FlowEvent::Kind::access, found->second, {}, {}, {}, false});
  }

  // What may be left out.
  template <class Visit>
  void maybe(Visit visit_it) {
    const uint32_t before = current_;
    current_ = block({before});
    visit_it();
    current_ = block({before, current_});
  }

  // What is bound from here on has that place.
  void begin(Place place) {
    place_ = place;
    bound_here_.clear();
  }

  // --- statements

  void visit(const Node& node);
  void visit_children(const Node& node);
  void visit_assignment(const Node& node);
  static bool is_fresh(const Node& value);

  // --- branches and loops

  void visit_if(const Node& node);
  void enter_loop(const Node& node);
  void visit_while(const Node& node);
  void visit_for(const Node& node);
  void end_loop(const Node& node, size_t index, uint32_t turn, uint32_t condition);
  bool is_true(const Node& condition) const;
  Place line_above(uint32_t statement) const;
  Place front_of(const Node& body) const;
  void jump(const Token& keyword);

  // --- exceptions

  void leave(uint32_t target, size_t depth);
  void go(uint32_t from, uint32_t target, size_t depth);
  void visit_try(const Node& node);

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

  void visit_handler(const Node& clause);
  void visit_with(const Node& node);
  void visit_with_items(const Node& node);
  void visit_with_children(const Node& node);
  void visit_match(const Node& node);
  void bind_captures(const Node& node);
  void visit_definition(const Node& node);
  void visit_defaults(const Node& parameters);

  // --- expressions

  void visit_expression(const Node& node);
  void visit_conditional(const Node& node);
  void visit_operation(const Node& node);
  void visit_primary(const Node& node, bool is_target);
  void visit_target(const Node& node);
  void visit_elements(const Node& node);
  static bool has_stars_behind_keywords(const Node& elements);

  static constexpr uint32_t kNone = static_cast<uint32_t>(-1);

  std::string_view source_;
  const CompiledFunction& function_;
  std::unordered_map<uint32_t, size_t> accesses_;  // by the place of their dot
  FlowGraph graph_;
  uint32_t current_ = FlowGraph::kEntry;
  uint32_t handler_ = kNone;  // where exceptions go; none: out of the function
  std::vector<Loop> loops_;
  std::vector<Final> finals_;
  Place place_;                            // of what is bound now
  std::set<std::string_view> bound_here_;  // with that place
  bool fresh_ = false;
};

}  // namespace stmpy::compiler
