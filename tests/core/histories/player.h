// A thread that plays its part of a program and records what comes of it.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/core/histories/program.h"
#include "tests/core/histories/recorder.h"
#include "tests/core/histories/values.h"

namespace stmpy::core::test {

// An attribute of an object, and what a history calls it.
struct Place {
  Ref<Thing> thing;
  int attribute;
  std::string name;

  Record& record() const { return thing->record(attribute); }
  Slot& slot() const { return thing->slot(attribute); }
};
Place place_in(const Link& link, int attribute);

// What the threads of a history share: variables, each an attribute of a thing, and the objects that have
// leaked.
class Variables {
 public:
  explicit Variables(int count);
  Place operator[](int variable) const;
  int count() const { return count_; }
  // One more variable: whoever waits has read it.
  Place gate() const { return (*this)[count_]; }
  // Without a transaction's knowledge.
  void leak(const Ref<Link>& link);
  // Null where there is none.
  Ref<Link> leaked(Random& random) const;
  // Whether somebody still holds or claims one.
  bool any_held() const;

 private:
  const int count_;
  std::vector<Ref<Thing>> things_;
  mutable std::mutex mutex_;
  std::vector<Ref<Link>> leaked_;
};

// Where the run cannot go on: a reference was used that had been given back. Ends the process.
using Fatal = void (*)(const char* what);

class Player : private Thread {
 public:
  Player(int number, Variables& variables, Random random, Fatal fatal);

  void play(const Call& call);
  // The thread has played its part.
  void end();
  // One transaction that gives every variable its first value, and reads outside that see the last one.
  void write_all();
  void read_all();
  void open_gate() { write_outside(variables_.gate()); }
  // For another thread: whether it has ended; whether it has, or sleeps, and nothing that it has read is
  // another by now, as `looker` sees it.
  bool has_ended() const;
  bool is_settled(Player& looker) const;
  // Readers of a variable of which each lets go only when the next one has it, and one writer, which comes
  // through nevertheless: its claim holds newcomers back.
  struct Relay {
    std::atomic<int> arrivals{0};
    std::atomic<bool> written{false};
  };
  void read_in_relay(Relay& relay);
  void write_in_relay(Relay& relay);

  const Recorder& recorder() const { return recorder_; }

 private:
  struct Failed {};
  enum class Stage { Plays, Sleeps, Ended };
  struct Seen {
    Place place;
    std::optional<long> value;
  };

  void start(const Options& options) override;
  bool finish() override;
  void abort() override;
  Watch::Woken sleep(Watch& watch, Clock::time_point deadline) override;

  void play(const std::vector<Action>& actions);
  void play_nested(const Action& action);
  void play_or_else(const Action& action);
  void play_transaction(const Call& call);
  void wait_for_gate();
  [[noreturn]] void retry();
  void make_object(const Action& action);
  void become_irrevocable();
  void clean_up(const Place& place);
  // Where the action leads; read it reads on the way.
  Place place_of(const Action& action);
  std::optional<long> number_of(const Ref<Object>& value);
  Ref<Object> read_at(const Place& place, Mode mode);
  Ref<Object> read_outside(const Place& place);
  void write_at(const Place& place, Ref<Object> value);
  void write_at(const Place& place) { write_at(place, Ref<Object>::stolen(new Value(next_number()))); }
  void write_outside(const Place& place);
  bool write_at_once(const Place& place);
  std::vector<Seen> left_behind();
  long next_number() { return (number_ + 1) * 10'000 + ++written_; }
  void pause();

  const int number_;
  Variables& variables_;
  Random random_;
  const Fatal fatal_;
  Recorder recorder_;
  long written_ = 0;
  std::optional<long> gate_;  // as the call has seen it first
  // Of the attempt:
  bool leaves_ = false;  // by an exception of its own, or to wait, or to become irrevocable
  int alternatives_ = 0;
  long first_own_ = 0;  // the number of the first value that it writes
  std::vector<Seen> seen_;
  std::vector<Ref<Link>> leaked_;

  mutable std::mutex mutex_;  // for what others look at
  Stage stage_ = Stage::Plays;
  std::vector<Seen> asleep_over_;
};

}  // namespace stmpy::core::test
