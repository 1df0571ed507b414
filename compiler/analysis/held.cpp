#include "analysis/held.h"

#include <algorithm>

namespace stmpy::compiler {

Held::Held(const FlowGraph& graph, const std::vector<Access>& accesses, const std::vector<Mode>& modes,
           const std::set<std::string_view>& variables)
    : graph_(graph), accesses_(accesses), modes_(modes), pairs_(accesses) {
  for (const auto& pair : pairs_.all()) may_hold_.push_back(variables.contains(pair.variable));
  loops_without_.resize(pairs_.all().size());
  in_loop_.resize(accesses.size());
  if (!may_hold_any()) return;
  find_loops_without_end();
  for (uint32_t block = 0; block < graph.blocks.size(); ++block) {
    for (const FlowEvent& event : graph.blocks[block].events) {
      if (event.kind == FlowEvent::Kind::access)
        in_loop_[event.index] = loop_without_end(pairs_.of(accesses[event.index]), block) != Pairs::kNone;
    }
  }
}

void Held::find_loops_without_end() {
  for (size_t loop = 0; loop < graph_.loops.size(); ++loop) {
    if (graph_.loops[loop].place.kind != InsertionPlace::Kind::line) continue;
    bool forgets = false;
    std::set<std::string_view> bound;
    std::set<size_t> removed;
    for (uint32_t block = graph_.loops[loop].first; block < graph_.loops[loop].last; ++block) {
      for (const FlowEvent& event : graph_.blocks[block].events) {
        if (event.kind == FlowEvent::Kind::forget) forgets = true;
        if (event.kind == FlowEvent::Kind::bind || event.kind == FlowEvent::Kind::copy)
          bound.insert(event.variable);
        if (event.kind == FlowEvent::Kind::access && accesses_[event.index].kind == AccessKind::remove)
          removed.insert(pairs_.of(accesses_[event.index]));
      }
    }
    if (forgets) continue;
    for (size_t pair = 0; pair < pairs_.all().size(); ++pair) {
      if (may_hold_[pair] && !bound.contains(pairs_.all()[pair].variable) && !removed.contains(pair))
        loops_without_[pair].push_back(loop);
    }
  }
}

size_t Held::loop_without_end(size_t pair, uint32_t block) const {
  for (const size_t loop : loops_without_[pair]) {
    if (graph_.loops[loop].first <= block && block < graph_.loops[loop].last) return loop;
  }
  return Pairs::kNone;
}

// Forwards over the graph, until nothing changes any more.
class Held::Solver {
 public:
  Solver(const Held& held, const std::vector<bool>& exists)
      : held_(held), exists_(exists), into_(held.graph_.blocks.size()) {}

  HeldSolution solve() {
    HeldSolution solution;
    const size_t holdings = exists_.size();
    into_[FlowGraph::kEntry] = {true, std::vector<size_t>(holdings, Pairs::kNone),
                                std::vector<bool>(holdings, false)};
    for (bool changed = true; changed;) {
      changed = false;
      solution.answers.assign(held_.accesses_.size(), {});
      solution.endings.clear();
      for (uint32_t i = 0; i < into_.size(); ++i) {
        if (!into_[i].reached) continue;
        State state = into_[i];
        for (const FlowEvent& event : held_.graph_.blocks[i].events) step(event, i, state, solution);
        for (const uint32_t successor : held_.graph_.blocks[i].successors)
          changed |= into_[successor].meet(state);
      }
    }
    return solution;
  }

 private:
  struct State {
    bool reached = false;
    std::vector<size_t> has;   // which holding answers for each pair and strength
    std::vector<bool> filled;  // by holding: there may be something in it

    // True if this changes it.
    bool meet(const State& other) {
      if (!reached) {
        *this = other;
        return true;
      }
      bool changed = false;
      for (size_t i = 0; i < has.size(); ++i) {
        if (has[i] != Pairs::kNone && has[i] != other.has[i]) {
          has[i] = Pairs::kNone;
          changed = true;
        }
        if (other.filled[i] && !filled[i]) filled[i] = changed = true;
      }
      return changed;
    }
    void drop(size_t holding) {
      std::replace(has.begin(), has.end(), holding, Pairs::kNone);
      filled[holding] = false;
    }
  };

  void step(const FlowEvent& event, uint32_t block, State& state, HeldSolution& solution) const {
    switch (event.kind) {
      case FlowEvent::Kind::access:
        solution.answers[event.index] = answer(event.index, block, state);
        return;
      case FlowEvent::Kind::bind:
      case FlowEvent::Kind::copy:
        return rebind(event, state, solution);
      case FlowEvent::Kind::forget:
        std::fill(state.has.begin(), state.has.end(), Pairs::kNone);
        return;
      case FlowEvent::Kind::loop:
        return enter(event.index, state);
    }
  }

  Answer answer(size_t index, uint32_t block, State& state) const {
    const Access& access = held_.accesses_[index];
    const size_t pair = held_.pairs_.of(access);
    const size_t reading = number({pair, false});
    const size_t writing = number({pair, true});
    if (access.kind == AccessKind::remove) {
      state.has[reading] = state.has[writing] = Pairs::kNone;
      return {};
    }
    if (state.has[writing] != Pairs::kNone) return {state.has[writing], false, false, Pairs::kNone};
    if (access.kind == AccessKind::load && state.has[reading] != Pairs::kNone)
      return {state.has[reading], false, false, Pairs::kNone};
    if (!held_.may_hold_[pair]) return {};
    const size_t opened = held_.modes_[index] == Mode::write ? writing : reading;
    if (!exists_[opened] || !access.binds_names) return {};
    state.has[opened] = opened;
    state.filled[opened] = true;
    return {opened, true, false, held_.loop_without_end(pair, block)};
  }

  void rebind(const FlowEvent& event, State& state, HeldSolution& solution) const {
    const auto& pairs = held_.pairs_.all();
    for (size_t holding = 0; holding < exists_.size(); ++holding) {
      if (pairs[holding / 2].variable != event.variable) continue;
      if (state.filled[holding]) {
        solution.endings.push_back({event.place, holding});
        state.drop(holding);
      }
      state.has[holding] = Pairs::kNone;
    }
    if (event.kind != FlowEvent::Kind::copy || event.from == event.variable) return;
    for (size_t pair = 0; pair < pairs.size(); ++pair) {
      if (pairs[pair].variable != event.variable || !held_.may_hold_[pair]) continue;
      const size_t from = held_.pairs_.of(event.from, pairs[pair].attribute);
      if (from == Pairs::kNone) continue;
      for (const bool writes : {false, true})
        state.has[number({pair, writes})] = state.has[number({from, writes})];
    }
  }

  // What is opened at a turn of the loop holds nothing in front of it.
  void enter(size_t loop, State& state) const {
    for (size_t pair = 0; pair < held_.pairs_.all().size(); ++pair) {
      if (held_.loop_without_end(pair, held_.graph_.loops[loop].first) != loop) continue;
      for (const bool writes : {false, true}) {
        const size_t holding = number({pair, writes});
        if (state.has[holding] == Pairs::kNone) state.drop(holding);
      }
    }
  }

  const Held& held_;
  const std::vector<bool>& exists_;
  std::vector<State> into_;
};

// Backwards: which holdings are used from each place on.
void Held::find_uses(HeldSolution& solution) const {
  std::vector<std::vector<bool>> used(graph_.blocks.size(),
                                      std::vector<bool>(pairs_.all().size() * 2, false));
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t block = graph_.blocks.size(); block-- > 0;) {
      std::vector<bool> state(pairs_.all().size() * 2, false);
      for (const uint32_t successor : graph_.blocks[block].successors) {
        for (size_t i = 0; i < state.size(); ++i) state[i] = state[i] || used[successor][i];
      }
      const auto& events = graph_.blocks[block].events;
      for (size_t e = events.size(); e-- > 0;) {
        if (events[e].kind == FlowEvent::Kind::forget) std::fill(state.begin(), state.end(), false);
        if (events[e].kind != FlowEvent::Kind::access) continue;
        Answer& answer = solution.answers[events[e].index];
        if (answer.holding == Pairs::kNone) continue;
        if (answer.opens) answer.keeps = state[answer.holding];
        state[answer.holding] = !answer.opens || answer.loop != Pairs::kNone;
      }
      if (state == used[block]) continue;
      used[block] = std::move(state);
      changed = true;
    }
  }
}

HeldSolution Held::solve(const std::vector<bool>& exists) const {
  HeldSolution solution = Solver(*this, exists).solve();
  find_uses(solution);
  return solution;
}

}  // namespace stmpy::compiler
