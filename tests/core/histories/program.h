// What the threads of a history do, made at random and the same for the same seed.
#pragma once

#include <random>
#include <vector>

#include "runtime/core/ownership.h"

namespace stmpy::core::test {

using Random = std::mt19937_64;
// True once in `times`.
inline bool chance(Random& random, unsigned times) { return random() % times == 0; }

struct Action {
  enum class Kind {
    Read,
    Write,
    Nested,  // its actions in a savepoint
    Pause,   // a while in which others run
  };
  Kind kind;
  int variable = 0;
  Mode mode = Mode::Read;
  std::vector<Action> actions;
  bool fails = false;  // a nested one is left by an exception, which is caught around it
};

struct Call {
  enum class Kind { Transaction, ReadOutside, WriteOutside };
  Kind kind;
  std::vector<Action> actions;
  bool exclusive = false;
  bool fails = false;      // left by an exception
  bool cleans_up = false;  // uses its variables while it unwinds
  bool swallows = false;   // drops an abort and returns
};

struct Program {
  int variables = 0;
  std::vector<std::vector<Call>> threads;
};

Program make_program(Random& random, int threads);

}  // namespace stmpy::core::test
