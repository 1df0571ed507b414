#include "tests/core/histories/program.h"

namespace stmpy::core::test {
namespace {

constexpr int kCalls = 5;
constexpr int kActions = 4;

class Maker {
 public:
  explicit Maker(Random& random)
      : random_(random),
        variables_(chance(random, 3) ? 16 : below(5) + 2),
        outside_(below(6) + 1),
        pauses_(below(3)),
        waits_(chance(random, 2)),
        irrevocable_(chance(random, 3)),
        objects_(chance(random, 2)) {}

  int variables() const { return variables_; }

  Call call() {
    if (below(10) < outside_) {
      return chance(random_, 3) ? Call{Call::Kind::WriteOutside, {access(Action::Kind::Write)}}
                                : Call{Call::Kind::ReadOutside, {access(Action::Kind::Read)}};
    }
    Call made{Call::Kind::Transaction, actions(2)};
    made.irrevocable = irrevocable_ && chance(random_, 6);
    made.exclusive = chance(random_, made.irrevocable ? 3 : 12);
    made.fails = chance(random_, 6);
    made.cleans_up = chance(random_, 4);
    made.swallows = chance(random_, 6);
    return made;
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }

  Action access(Action::Kind kind) {
    const bool may_be_written = chance(random_, 4);
    const int variable = below(chance(random_, 3) ? 2 : variables_);  // two are in demand
    Action made{kind, variable, may_be_written ? Mode::Update : Mode::Read};
    if (objects_ && chance(random_, 3))
      made.way = chance(random_, 2) ? Action::Way::Along : Action::Way::Leaked;
    return made;
  }

  Action nested(int depth, unsigned fails) {
    Action made{Action::Kind::Nested};
    made.actions = actions(depth);
    made.fails = fails != 0 && chance(random_, fails);
    return made;
  }

  // All but the last may retry for no reason: then nothing would ever come of it.
  Action alternatives(int depth) {
    Action made{Action::Kind::OrElse};
    for (int left = below(2) + 1; left > 0; --left) made.actions.push_back(nested(depth, 2));
    made.actions.push_back(nested(depth, 0));
    return made;
  }

  std::vector<Action> actions(int depth) {
    std::vector<Action> made;
    for (int left = below(kActions) + 1; left > 0; --left) {
      if (pauses_ > 0 && chance(random_, 3)) made.push_back({Action::Kind::Pause});
      const int kind = below(20);
      if (kind < 3 && depth > 0) {
        made.push_back(nested(depth - 1, 2));
      } else if (kind < 5 && depth > 0) {
        made.push_back(alternatives(depth - 1));
      } else if (kind == 5 && waits_) {
        made.push_back({Action::Kind::Wait});
      } else if (kind == 6 && irrevocable_ && chance(random_, 2)) {
        made.push_back({Action::Kind::Irrevocable});
      } else if (kind < 9 && objects_) {
        made.push_back(access(Action::Kind::Make));
        made.back().leaks = chance(random_, 2);
      } else {
        made.push_back(access(kind < 13 ? Action::Kind::Read : Action::Kind::Write));
      }
    }
    return made;
  }

  Random& random_;
  // Differ from one history to the next.
  const int variables_;
  const int outside_;  // calls of ten
  const int pauses_;
  const bool waits_, irrevocable_, objects_;
};

}  // namespace

Program make_program(Random& random, int threads) {
  Maker maker(random);
  Program program{maker.variables(), {}};
  for (int thread = 0; thread < threads; ++thread) {
    std::vector<Call> calls;
    for (int made = 0; made < kCalls; ++made) calls.push_back(maker.call());
    program.threads.push_back(std::move(calls));
  }
  return program;
}

}  // namespace stmpy::core::test
