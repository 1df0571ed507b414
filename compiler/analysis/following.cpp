#include "analysis/following.h"

#include "analysis/pairs.h"

namespace stmpy::compiler {

namespace {

// What is written from a place on, for each pair.
struct Following {
  std::vector<bool> certain;
  std::vector<bool> possible;

  bool operator==(const Following&) const = default;
};

class Analysis {
 public:
  Analysis(const FlowGraph& graph, const std::vector<Access>& accesses)
      : graph_(graph), accesses_(accesses), pairs_(accesses) {
    // Of a path that never returns everything may be said.
    const Following nothing_known{std::vector<bool>(pairs_.all().size(), true),
                                  std::vector<bool>(pairs_.all().size(), false)};
    from_.assign(graph.blocks.size(), nothing_known);
    from_[FlowGraph::kExit].certain.assign(pairs_.all().size(), false);
  }

  std::vector<Mode> solve() {
    std::vector<Mode> modes(accesses_.size(), Mode::none);
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = graph_.blocks.size(); i-- > 0;) {
        if (i == FlowGraph::kExit) continue;
        Following state = behind(graph_.blocks[i]);
        const auto& events = graph_.blocks[i].events;
        for (size_t e = events.size(); e-- > 0;) step(events[e], state, modes);
        if (state == from_[i]) continue;
        from_[i] = std::move(state);
        changed = true;
      }
    }
    return modes;
  }

 private:
  Following behind(const FlowBlock& block) const {
    Following state{std::vector<bool>(pairs_.all().size(), true),
                    std::vector<bool>(pairs_.all().size(), false)};
    for (const uint32_t successor : block.successors) {
      for (size_t pair = 0; pair < pairs_.all().size(); ++pair) {
        state.certain[pair] = state.certain[pair] && from_[successor].certain[pair];
        state.possible[pair] = state.possible[pair] || from_[successor].possible[pair];
      }
    }
    return state;
  }

  // Backwards over one event. The last time it is passed its mode is the final one.
  void step(const FlowEvent& event, Following& state, std::vector<Mode>& modes) const {
    switch (event.kind) {
      case FlowEvent::Kind::access: {
        const Access& access = accesses_[event.index];
        const size_t pair = pairs_.of(access);
        if (access.kind != AccessKind::load) {
          state.certain[pair] = state.possible[pair] = true;
          modes[event.index] = Mode::write;
        } else {
          modes[event.index] = !state.possible[pair] ? Mode::read
                               : state.certain[pair] ? Mode::write
                                                     : Mode::update;
        }
        return;
      }
      case FlowEvent::Kind::bind:
      case FlowEvent::Kind::copy:
        for (size_t pair = 0; pair < pairs_.all().size(); ++pair) {
          const auto& [variable, attribute] = pairs_.all()[pair];
          if (variable != event.variable) continue;
          const size_t source =
              event.kind == FlowEvent::Kind::copy ? pairs_.of(event.from, attribute) : Pairs::kNone;
          if (source != Pairs::kNone && source != pair) {
            state.certain[source] = state.certain[source] || state.certain[pair];
            state.possible[source] = state.possible[source] || state.possible[pair];
          }
          if (source != pair) state.certain[pair] = state.possible[pair] = false;
        }
        return;
      case FlowEvent::Kind::forget:
        std::fill(state.certain.begin(), state.certain.end(), false);
        std::fill(state.possible.begin(), state.possible.end(), false);
        return;
      case FlowEvent::Kind::loop:
        return;
    }
  }

  const FlowGraph& graph_;
  const std::vector<Access>& accesses_;
  Pairs pairs_;
  std::vector<Following> from_;  // from the beginning of each block on
};

}  // namespace

std::vector<Mode> modes_wanted(const FlowGraph& graph, const std::vector<Access>& accesses) {
  return Analysis(graph, accesses).solve();
}

}  // namespace stmpy::compiler
