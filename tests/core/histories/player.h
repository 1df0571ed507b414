// A thread that plays its part of a program and records what comes of it.
#pragma once

#include <functional>
#include <vector>

#include "tests/core/histories/program.h"
#include "tests/core/histories/recorder.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {

// The variables of a history: each is an attribute of a thing.
class Variables {
 public:
  explicit Variables(int count);
  struct Place {
    Thing& thing;
    int attribute;
  };
  Place operator[](int variable) const {
    return {*things_[static_cast<std::size_t>(variable / 2)], variable % 2};
  }
  int count() const { return count_; }
  // Whether somebody still holds or claims one.
  bool any_held() const;

 private:
  const int count_;
  std::vector<Ref<Thing>> things_;
};

// Where the run cannot go on: a reference was used that had been given back. Ends the process.
using Fatal = void (*)(const char* what);

class Player : private Thread {
 public:
  Player(int number, const Variables& variables, Random random, Fatal fatal);

  void play(const Call& call);
  // One transaction that gives every variable its first value, and reads outside that see the last one.
  void write_all();
  void read_all();
  // Readers of a variable of which each lets go only when the next one has it, and one writer, which comes
  // through nevertheless: its claim holds newcomers back.
  struct Relay {
    std::atomic<int> arrivals{0};
    std::atomic<bool> written{false};
  };
  void read_in_relay(Relay& relay);
  void write_in_relay(Relay& relay);

  const Recorder& recorder() const { return recorder_; }
  Random& random() { return random_; }

 private:
  struct Failed {};

  void start(bool exclusive) override;
  bool finish() override;
  void abort() override;

  void play(const std::vector<Action>& actions);
  void play_nested(const Action& action);
  void play_transaction(const Call& call);
  void clean_up(int variable);
  long number_of(const Ref<Object>& value);
  void read_variable(int variable, Mode mode);
  void write_variable(int variable);
  void pause();

  const int number_;
  const Variables& variables_;
  Random random_;
  const Fatal fatal_;
  Recorder recorder_;
  long written_ = 0;
  bool fails_ = false;  // the attempt is left by an exception of its own
};

}  // namespace stmpy::core::test
