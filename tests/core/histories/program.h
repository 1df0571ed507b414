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
    Nested,       // its actions in a savepoint
    OrElse,       // its alternatives, each of kind Nested: one that fails retries, and the next one is tried
    Wait,         // for a change, until the gate opens
    Make,         // an object, which it puts into the variable
    Irrevocable,  // from here on, which takes another attempt
    Pause,        // a while in which others run
  };
  // What is read or written: the variable, an attribute of the object that the variable leads to, or of one
  // that has leaked.
  enum class Way { Straight, Along, Leaked };
  Kind kind;
  int variable = 0;
  Mode mode = Mode::Read;
  std::vector<Action> actions = {};
  bool fails = false;  // a nested one is left by an exception, which is caught around it
  bool leaks = false;  // what is made is handed to others at once
  Way way = Way::Straight;
};

struct Call {
  enum class Kind { Transaction, ReadOutside, WriteOutside };
  Kind kind;
  std::vector<Action> actions;
  bool exclusive = false;
  bool irrevocable = false;
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
