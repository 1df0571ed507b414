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
        pauses_(below(3)) {}

  int variables() const { return variables_; }

  Call call() {
    if (below(10) < outside_) {
      return chance(random_, 3) ? Call{Call::Kind::WriteOutside, {access(Action::Kind::Write)}}
                                : Call{Call::Kind::ReadOutside, {access(Action::Kind::Read)}};
    }
    Call made{Call::Kind::Transaction, actions(2)};
    made.exclusive = chance(random_, 12);
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
    return {kind, variable, may_be_written ? Mode::Update : Mode::Read, {}};
  }

  std::vector<Action> actions(int depth) {
    std::vector<Action> made;
    for (int left = below(kActions) + 1; left > 0; --left) {
      if (pauses_ > 0 && chance(random_, 3)) made.push_back({Action::Kind::Pause, 0, Mode::Read, {}});
      const int kind = below(10);
      if (kind < 2 && depth > 0) {
        made.push_back({Action::Kind::Nested, 0, Mode::Read, actions(depth - 1), chance(random_, 2)});
      } else {
        made.push_back(access(kind < 6 ? Action::Kind::Read : Action::Kind::Write));
      }
    }
    return made;
  }

  Random& random_;
  // Differ from one history to the next.
  const int variables_;
  const int outside_;  // calls of ten
  const int pauses_;
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
