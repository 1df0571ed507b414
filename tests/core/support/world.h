// Objects with transactional attributes, and threads that use them through barriers as a language's runtime
// would.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/core/irrevocable.h"
#include "runtime/core/outside.h"
#include "runtime/core/transaction.h"
#include "runtime/core/watch.h"
#include "tests/core/support/host.h"

namespace stmpy::core::test {

struct Thing : Object {
  explicit Thing(long value = 0) {
    for (Cell& cell : cells) cell.slot = new Object(value);
  }
  // Without values, with records of these bits.
  static Ref<Thing> born(std::uint64_t record_bits) {
    return Ref<Thing>::stolen(new Thing(Bits{record_bits}));
  }
  ~Thing() override {
    for (Cell& cell : cells) {
      if (void* value = cell.slot.load()) release(static_cast<Object*>(value));
    }
  }
  Record& record(int attribute) { return cells[static_cast<std::size_t>(attribute)].record; }
  Slot& slot(int attribute) { return cells[static_cast<std::size_t>(attribute)].slot; }

 private:
  struct Cell {
    Slot slot{nullptr};
    Record record;
  };
  static_assert(sizeof(Cell) == Made::kDistance * sizeof(Record));
  struct Bits {
    std::uint64_t of_records;
  };
  explicit Thing(Bits bits)
      : cells{{{nullptr, Record(bits.of_records)},
               {nullptr, Record(bits.of_records)},
               {nullptr, Record(bits.of_records)},
               {nullptr, Record(bits.of_records)}}} {}

  std::array<Cell, 4> cells;
};

// What the barriers raise.
struct Aborted {};
struct Interrupted {};
struct TimedOut {};
// What a body raises that waits for a change.
struct Retry {};
// What a body raises that has to be irrevocable, and is run again so.
struct NeedsToken {};

struct Options {
  bool exclusive = false;
  bool irrevocable = false;
  Clock::time_point deadline = kNoDeadline;
  int max_attempts = std::numeric_limits<int>::max();
};

// A thread of the language: one descriptor, the barriers, the wrapper of a transaction.
class Thread {
 public:
  Thread() : self(adopt_descriptor()) { forget_call(); }
  virtual ~Thread() { retire_descriptor(self); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  Ref<Object> read(Thing& thing, int attribute = 0, Mode mode = Mode::Read);
  long number(Thing& thing, int attribute = 0, Mode mode = Mode::Read) {
    return read(thing, attribute, mode)->number;
  }
  // A null reference deletes the attribute.
  void write(Thing& thing, Ref<Object> value, int attribute = 0);
  void write(Thing& thing, long number, int attribute = 0) { write(thing, make<Object>(number), attribute); }
  // In a transaction.
  Ref<Thing> make_private() {
    reserve_made(self);
    const auto thing = Thing::born(bits_of_made(self));
    retain(thing.get());
    note_made(self, thing.get(), thing->record(0), &thing->record(1), 3);
    return thing;
  }
  // What a barrier gets for the pair, once, with the references counted and the old value logged as it has to
  // be.
  Outcome ask(Thing& thing, int attribute, Mode mode, bool unwinding = false);

  // Outside of transactions.
  Ref<Object> committed(Thing& thing, int attribute = 0);
  long committed_number(Thing& thing, int attribute = 0) { return committed(thing, attribute)->number; }

  // The wrapper: runs `body` until it commits, and returns how many attempts that took.
  template <class Body>
  int call(Body body) {
    return call(Options{}, body);
  }
  template <class Body>
  int call(Options options, Body body);
  template <class Body>
  void nested(Body body);

  void start() { start(Options{}); }
  virtual void start(const Options& options) {
    begin(self);
    if (options.irrevocable) become_irrevocable(self);
    if (options.exclusive) set_exclusive(self, true);
  }
  virtual bool finish() {
    const bool committed = commit(self);
    if (committed) let_go();
    return committed;
  }
  virtual void abort() {
    doom(self);
    revert(self);
    let_go();
  }
  // Behind the revert of an attempt that waits for a change.
  virtual Watch::Woken sleep(Watch& watch, Clock::time_point deadline) { return watch.wait(deadline); }
  void let_go() {
    release_references(self, [](void* reference) { release(static_cast<Object*>(reference)); });
  }
  State state() const { return self.state().state(); }

  Descriptor& self;
  bool quick = false;  // takes the inline ways first, as the barriers of compiled code do; they pass no steps
                       // of the schedule

 private:
  void acquire(Thing& thing, int attribute, Mode mode);
  bool acquire_quickly(Thing& thing, int attribute, Mode mode);
  void note(Thing& thing, int attribute, Outcome outcome, bool again);
  std::unique_ptr<Watch> watch_and_abort(std::uint64_t turn);
  void forget_call() {
    self.age = 0;
    self.promoted.clear();
    self.deadline = kNoDeadline;
  }
};

template <class Body>
int Thread::call(Options options, Body body) {
  forget_call();
  self.deadline = options.deadline;
  const std::uint64_t turn = draw_turn();
  struct EndOfCall {
    ~EndOfCall() { forget_age(self); }
    Descriptor& self;
  } end_of_call{self};
  for (int attempt = 1;; ++attempt) {
    if (options.irrevocable) {
      const Wait wait = take_token(self);
      if (wait == Wait::TimedOut) throw TimedOut{};
      if (wait == Wait::Interrupted) throw Interrupted{};
    }
    start(options);
    try {
      body();
      if (finish()) return attempt;
      draw_age(self);
      abort();
    } catch (const Retry&) {
      const std::unique_ptr<Watch> watch = watch_and_abort(turn);
      forget_age(self);
      const Watch::Woken woken = sleep(*watch, options.deadline);
      if (woken == Watch::Woken::TimedOut) throw TimedOut{};
      if (woken != Watch::Woken::Changed) throw Interrupted{};
    } catch (const NeedsToken&) {
      draw_age(self);
      abort();
      options.irrevocable = true;
    } catch (const Aborted&) {
      draw_age(self);
      abort();
      if (attempt == options.max_attempts) throw;
      const Wait wait = wait_for_blocker(self);
      if (wait == Wait::TimedOut) throw TimedOut{};
      if (wait == Wait::Interrupted) throw Interrupted{};
    } catch (...) {
      abort();
      throw;
    }
  }
}

template <class Body>
void Thread::nested(Body body) {
  const Savepoint savepoint = open_savepoint(self);
  try {
    body();
  } catch (const Aborted&) {
    throw;
  } catch (...) {
    revert_savepoint(self, savepoint);
    throw;
  }
  close_savepoint(self);
}

// Leaves nothing behind: what a test has made is gone at its end.
class CoreTest : public ::testing::Test {
 protected:
  CoreTest();
  ~CoreTest() override;
};

}  // namespace stmpy::core::test
