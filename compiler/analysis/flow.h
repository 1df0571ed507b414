// The order in which a function evaluates what matters to its barriers, as a graph: its accesses through
// local variables, and what ends the validity of what they have opened.
//
// The graph has every path that the function can take, and some more: where Python's order is not known, or
// not worth knowing, parts of an expression may be left out.

#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "analysis/atomic_code.h"

namespace stmpy::compiler {

struct FlowEvent {
  enum class Kind : uint8_t {
    access,
    bind,    // the variable gets another value, or none
    copy,    // ... that of the variable `from`
    forget,  // nothing that was opened counts any more
    loop,    // a loop is entered, see FlowGraph::loops
  };
  Kind kind;
  size_t index = 0;  // of the access or the loop
  std::string_view variable;
  std::string_view from;
  InsertionPlace place;  // bind and copy: behind the event
  bool fresh = false;    // bind: to a literal or a container that is made there
};

struct FlowBlock {
  std::vector<FlowEvent> events;
  std::vector<uint32_t> successors;
};

// The blocks from `first` on, up to but without `last`, are the turns of the loop.
struct FlowLoop {
  uint32_t first;
  uint32_t last;
  InsertionPlace place;  // in front of it
};

struct FlowGraph {
  static constexpr uint32_t kEntry = 0;
  static constexpr uint32_t kExit = 1;  // by return, or at the end; a raise leads nowhere

  std::vector<FlowBlock> blocks;
  std::vector<FlowLoop> loops;  // an outer one before those in it
  // The variables that are accessed between a binding and the place behind it: what is inserted there comes
  // too late for what the access opens.
  std::set<std::string_view> rebound_within;
};

// Of the function's own code. Accesses that are no plain ones through a variable of its scope are not in it.
FlowGraph flow_of(std::string_view source, const CompiledFunction& function);

}  // namespace stmpy::compiler
