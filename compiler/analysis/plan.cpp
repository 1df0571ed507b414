#include "analysis/plan.h"

#include <algorithm>
#include <string>

#include "analysis/following.h"
#include "analysis/held.h"
#include "analysis/holdable.h"

namespace stmpy::compiler {

namespace {

// Reasons, as the report gives them.
namespace why {
constexpr std::string_view kRead = "nothing is written behind it: the lookup itself is the fastest barrier";
constexpr std::string_view kReadInUpdate = "a write may follow";
constexpr std::string_view kReadInWrite = "a write certainly follows";
constexpr std::string_view kStore = "the lookup itself is the fastest barrier";
constexpr std::string_view kRemove = "an attribute that goes changes the object's structure";
constexpr std::string_view kInPlace = "one call loads, operates and stores";
constexpr std::string_view kUpdate = "opened once for its load and its store";
constexpr std::string_view kSuspends = "its right side suspends, and nothing stays open over that";
constexpr std::string_view kKept = "later accesses use what it opens";
constexpr std::string_view kFirstTurn = "the loop opens it at the first turn that comes here";
constexpr std::string_view kReused = "it is open here";
constexpr std::string_view kTooLarge = "the function is too large to plan";
constexpr std::string_view kFresh = "the variable is bound to literals and fresh containers only";
}  // namespace why

// --- which form where
//
// Measured in nanoseconds, on 3.11, 3.14 and 3.14t, for accesses in a transaction; docs/compiler.md has the
// table.
//
//                                    first access        again, once it is held
//   the lookup on the object         8.4  9.1  13.9      6  5  6
//   an open, then native access      11   14   19        3  3  3
//
// So a payload pays that answers three more accesses, or two in one turn of a loop; one that answers an
// augmented assignment in a loop pays too, since it spares a lookup for the load and one for the store.
constexpr int kPays = 3;
constexpr int kInLoop = 3;  // what one access in a loop counts for

// What a plan costs grows with the product of a function's length and its pairs, times the depth of its
// loops. Beyond these bounds nothing is held, and a read does not ask for what follows it.
constexpr size_t kMostToHold = 8'000;
constexpr size_t kMostToFollow = 40'000;

int benefit(const Held& held, const std::vector<Access>& accesses, size_t index, const Answer& answer) {
  if (!answer.opens) return held.is_in_loop(index) ? kInLoop : 1;
  return answer.loop != Pairs::kNone && accesses[index].kind == AccessKind::update ? kPays : 0;
}

// The holdings that pay, and what they answer.
HeldSolution choose(const Held& held, const std::vector<Access>& accesses) {
  if (!held.may_hold_any()) return {std::vector<Answer>(accesses.size()), {}};
  std::vector<bool> exists(held.pairs().all().size() * 2, true);
  for (;;) {
    HeldSolution solution = held.solve(exists);
    std::vector<int> benefits(exists.size(), 0);
    for (size_t i = 0; i < accesses.size(); ++i) {
      if (const Answer& answer = solution.answers[i]; answer.holding != Pairs::kNone)
        benefits[answer.holding] += benefit(held, accesses, i, answer);
    }
    // Without one for writing, one for reading may have more to answer.
    bool dropped = false;
    for (const bool writes : {true, false}) {
      for (size_t holding = writes ? 1 : 0; holding < exists.size() && !(dropped && !writes); holding += 2) {
        if (exists[holding] && benefits[holding] < kPays) {
          exists[holding] = false;
          dropped = true;
        }
      }
    }
    if (!dropped) return solution;
  }
}

// An access that nothing is held for.
void plan_alone(Access& access, Mode mode, bool in_transaction) {
  const auto open = [&](Form form, Mode as, std::string_view reason) {
    access.fate = Fate::opened;
    access.form = form;
    access.mode = as;
    access.why = reason;
  };
  switch (access.kind) {
    case AccessKind::call:
      return;
    case AccessKind::store:
      access.why = why::kStore;
      return;
    case AccessKind::remove:
      access.why = why::kRemove;
      return;
    case AccessKind::load:
      if (mode != Mode::write && mode != Mode::update) {
        access.why = why::kRead;
        return;
      }
      // A call is the fastest for STMObjects, an open for all others.
      return open(in_transaction ? Form::load : Form::open, mode,
                  mode == Mode::write ? why::kReadInWrite : why::kReadInUpdate);
    case AccessKind::update:
      if (access.across_suspension) {
        access.why = why::kSuspends;
        return;
      }
      if (in_transaction && access.inert_operand) return open(Form::in_place, Mode::write, why::kInPlace);
      return open(Form::open, Mode::write, why::kUpdate);
  }
}

// The temporaries of a function, numbered as they come.
class Temporaries {
 public:
  explicit Temporaries(const Held& held) : held_(held), names_(held.pairs().all().size() * 2) {}

  const std::string& of(size_t holding) {
    std::string& name = names_[holding];
    if (name.empty()) {
      const std::string_view variable = held_.pairs().all()[Held::holding(holding).pair].variable;
      name = std::to_string(++count_);
      if (std::ranges::all_of(variable, [](char c) { return static_cast<unsigned char>(c) < 0x80; }))
        name.append("_").append(variable);
    }
    return name;
  }

 private:
  const Held& held_;
  std::vector<std::string> names_;
  int count_ = 0;
};

class Planner {
 public:
  Planner(CompiledFunction& function, const FlowGraph& graph, const Held& held,
          const std::vector<Mode>& modes)
      : function_(function),
        graph_(graph),
        held_(held),
        modes_(modes),
        solution_(choose(held, function.accesses)),
        temporaries_(held) {}

  void plan() {
    for (size_t i = 0; i < function_.accesses.size(); ++i) {
      Access& access = function_.accesses[i];
      if (access.fate != Fate::as_written) continue;
      const Answer& answer = solution_.answers[i];
      if (answer.holding == Pairs::kNone || (answer.opens && !answer.keeps)) {
        plan_alone(access, modes_[i], function_.in_transaction);
      } else {
        plan_held(access, i, answer);
      }
    }
    for (const auto& [place, holding] : solution_.endings) clear(place, holding);
  }

 private:
  void plan_held(Access& access, size_t index, const Answer& answer) {
    access.temporary = temporaries_.of(answer.holding);
    if (!answer.opens) {
      access.fate = Fate::reused;
      access.form = Form::reuse;
      access.why = why::kReused;
      access.of = opener_of(index, answer.holding);
      return;
    }
    const bool first_turn = answer.loop != Pairs::kNone;
    access.fate = Fate::opened;
    access.form = first_turn ? Form::first_turn : Form::keep;
    access.mode = mode_of(answer.holding);
    access.why = first_turn ? why::kFirstTurn : why::kKept;
    if (first_turn) clear(graph_.loops[answer.loop].place, answer.holding);
  }

  // The last one in front of the access, or in a loop, one behind it.
  size_t opener_of(size_t index, size_t holding) const {
    size_t found = kNoAccess;
    for (size_t i = 0; i < solution_.answers.size(); ++i) {
      if (!solution_.answers[i].opens || solution_.answers[i].holding != holding) continue;
      if (found == kNoAccess || i < index) found = i;
    }
    return found;
  }

  // One for reading is opened for update where one of its openers asks for that.
  Mode mode_of(size_t holding) const {
    if (Held::holding(holding).writes) return Mode::write;
    for (size_t i = 0; i < solution_.answers.size(); ++i) {
      const Answer& answer = solution_.answers[i];
      if (answer.opens && answer.holding == holding && modes_[i] == Mode::update) return Mode::update;
    }
    return Mode::read;
  }

  void clear(const InsertionPlace& place, size_t holding) {
    if (place.kind == InsertionPlace::Kind::needless) return;
    const std::string& temporary = temporaries_.of(holding);
    const bool known = std::ranges::any_of(function_.clearings, [&](const Clearing& clearing) {
      return clearing.place.offset == place.offset && clearing.temporary == temporary;
    });
    if (!known) function_.clearings.push_back({place, temporary});
  }

  CompiledFunction& function_;
  const FlowGraph& graph_;
  const Held& held_;
  const std::vector<Mode>& modes_;
  const HeldSolution solution_;
  Temporaries temporaries_;
};

size_t length_of(const FlowGraph& graph) {
  size_t length = graph.blocks.size();
  for (const FlowBlock& block : graph.blocks) length += block.events.size();
  return length;
}

}  // namespace

void plan_accesses(std::string_view source, const TokenList& tokens, CompiledFunction& function, bool holds) {
  const FlowGraph graph = flow_of(source, function);
  const bool unique = !may_spell_variables_in_two_ways(source, tokens, function);
  std::set<std::string_view> fresh;
  if (unique) fresh = fresh_variables(function, graph);
  for (Access& access : function.accesses) {
    if (!fresh.contains(access.variable)) continue;
    access.fate = Fate::free;
    access.why = why::kFresh;
  }
  const size_t size = Pairs(function.accesses).all().size() * length_of(graph);
  const std::vector<Mode> modes = size <= kMostToFollow
                                      ? modes_wanted(graph, function.accesses)
                                      : std::vector<Mode>(function.accesses.size(), Mode::none);
  std::set<std::string_view> variables;
  if (holds && unique) variables = holdable_variables(source, tokens, function, graph);
  const bool too_large = size > kMostToHold && !variables.empty();
  const Held held(graph, function.accesses, modes, too_large ? std::set<std::string_view>() : variables);
  Planner(function, graph, held, modes).plan();
  if (!too_large) return;
  for (Access& access : function.accesses) {
    const bool could_be_held = variables.contains(access.variable) && !access.why.empty();
    if (could_be_held && access.fate != Fate::free) access.why = why::kTooLarge;
  }
}

}  // namespace stmpy::compiler
