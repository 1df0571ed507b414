// Runs a callable as a transaction: the loop of attempts, or a savepoint where one is running already. The
// two are shared with blocks, whose loop is in the generated code (block.h).
#pragma once

#include <memory>
#include <optional>

#include "runtime/python/attempts.h"
#include "runtime/python/consumable.h"
#include "runtime/python/retry.h"

namespace stmpy {

// A vectorcall. The result, or null with an exception.
PyObject* call_atomically(const Options& options, PyObject* callable, PyObject* const* args,
                          std::size_t nargsf, PyObject* kwnames);

// Leaving with one of these ends the call even where the attempt was doomed.
bool always_propagates(PyObject* exception);

// Between two attempts of a call, finalisers and signal handlers may begin transactions of their own on the
// same thread: what belongs to the call is kept here, and put back at the end.
class BetweenAttempts {
 public:
  explicit BetweenAttempts(Thread& thread);
  ~BetweenAttempts();
  BetweenAttempts(const BetweenAttempts&) = delete;
  BetweenAttempts& operator=(const BetweenAttempts&) = delete;

  bool timed_out() const { return timed_out_; }
  void raise_timeout() const { stmpy::raise_timeout(name_of_deadline()); }
  // Until whoever was in the way has ended. False with an exception.
  bool wait();

  // Until the next attempt may be irrevocable. False with an exception.
  bool wait_for_token();

  // In front of the revert: the call is to wait for a change of what the attempt has read.
  void watch(std::uint64_t turn);
  // Until that has come. False with an exception. `overdue`: it came when the call's time was up, so that the
  // next attempt is the last.
  bool wait_for_change(const Options& options, core::Clock::time_point deadline, bool& overdue);

 private:
  PyObject* name_of_deadline() const { return deadline_of_ ? deadline_of_.get() : name_; }

  Thread& thread_;
  PyObject* const name_;
  const std::uint64_t call_;
  const bool timed_out_;
  Ref deadline_of_;
  const core::Clock::time_point deadline_;
  std::uint64_t age_;
  core::RecordSet promoted_;
  TimedCalls timed_calls_;
  Place retry_place_;
  std::unique_ptr<core::Watch> watch_;
};

core::Clock::time_point deadline_in(double seconds);
// Never: kNoDeadline.
inline core::Clock::time_point deadline_of(const Options& options) {
  return options.timeout < 0 ? core::kNoDeadline : deadline_in(options.timeout);
}

// How a call goes on behind an attempt that was taken back.
enum class TakenBack : std::uint8_t {
  RunsAgain,
  Leaves,  // by the exception that the attempt was left by
  Raised,  // by another one, which is set
};

// An outermost call: attempts one after the other, until one has committed (commit_attempt) or an exception
// leaves.
class OutermostCall {
 public:
  // `options` outlives the call.
  [[gnu::always_inline]] OutermostCall(Thread& thread, const Options& options)
      : thread_(thread),
        options_(options),
        deadline_(deadline_of(options)),
        irrevocable_(options.irrevocable) {
    core::Descriptor& self = thread.descriptor;
    self.age.store(0, std::memory_order_relaxed);
    self.promoted.clear();
    self.counters.add(core::Counter::Begun);
    thread.show_call(options.name, thread.next_call++ << 20 | self.id);
  }
  [[gnu::always_inline]] ~OutermostCall() {
    between_.reset();
    core::forget_age(thread_.descriptor);
    thread_.show_call(nullptr, 0);
  }
  OutermostCall(const OutermostCall&) = delete;
  OutermostCall& operator=(const OutermostCall&) = delete;

  // False with an exception, and nothing begun: only where it has to wait for its turn to be irrevocable.
  [[gnu::always_inline]] bool begin() {
    if (attempts_ != 0 || irrevocable_) [[unlikely]] {
      if (!begin_unlike_most()) return false;
    }
    thread_.attempt.set_release(++attempts_);
    set_own_deadline();
    thread_.timed_calls.begin_attempt(attempts_ == 1);
    begin_attempt(thread_, options_.exclusive);
    if (irrevocable_) [[unlikely]]
      become_irrevocable(thread_);
    return true;
  }

  // Behind an attempt that did not commit: takes it back. No exception may be set; `exception` is the one
  // that the attempt was left by, or null if its commit failed.
  TakenBack take_back(PyObject* exception);

  // Behind take_back, holding nothing: waits until the next attempt may begin. False with an exception.
  bool wait_for_turn(const ConsumableArguments& arguments);

 private:
  void set_own_deadline() {
    thread_.descriptor.deadline = deadline_;
    if (options_.timeout >= 0) [[unlikely]]
      thread_.deadline_of = Ref::borrow(options_.name);
  }
  // What comes first where it is not the first attempt, or is irrevocable. False with an exception.
  bool begin_unlike_most();

  Thread& thread_;
  const Options& options_;
  const core::Clock::time_point deadline_;
  std::uint64_t attempts_ = 0;
  std::uint64_t retries_ = 0;  // those of them that ended in retry()
  std::uint64_t turn_ = 0;     // since when it waits there: drawn at the first one
  bool irrevocable_;           // from the next attempt on
  bool waits_for_change_ = false;
  bool overdue_ = false;
  std::optional<BetweenAttempts> between_;
};

// Outside: runs `call` (returns a reference, or null with an exception) as a transaction. `arguments` are
// what it was given. The result, or null with an exception. std::bad_alloc.
template <class Call>
PyObject* call_outermost(Thread& thread, const Options& options, const ConsumableArguments& arguments,
                         Call call) {
  OutermostCall outermost(thread, options);
  for (;;) {
    if (!outermost.begin()) [[unlikely]]
      return nullptr;
    Ref result = Ref::steal(call());
    if (result) [[likely]] {
      const Commit commit = commit_attempt(thread);
      if (commit != Commit::Refused) [[likely]]
        return commit == Commit::Done ? result.release() : nullptr;
    }
    RaisedException raised = RaisedException::take();
    const TakenBack taken_back = outermost.take_back(raised.get());
    if (taken_back == TakenBack::Leaves) raised.raise_again();
    if (taken_back != TakenBack::RunsAgain) return nullptr;
    // May run any code: outside of the transaction.
    raised = RaisedException();
    result = Ref();
    if (!outermost.wait_for_turn(arguments)) return nullptr;
  }
}

// In a transaction: whether a nested call may begin. False with an exception, which is an AbortTransaction
// where the outermost one has to run again, as irrevocable.
bool may_nest(Thread& thread, const Options& options);

// A nested call: a savepoint, which an exception of the user's reverts. A conflict goes on to the outermost
// call.
class NestedCall {
 public:
  // Behind may_nest(). std::bad_alloc with nothing begun, if it has a timeout.
  NestedCall(Thread& thread, const Options& options);
  NestedCall(const NestedCall&) = delete;
  NestedCall& operator=(const NestedCall&) = delete;

  // retry() leads here: because it has a timeout that has passed, or stands for an alternative.
  bool is_retry_target() const { return thread_.retrying && thread_.retry_target == level_; }
  // Once. `exception` is the one that its part was left by, or null: all but the abort of what is around it
  // too revert it, also in an attempt that was doomed meanwhile, because clean-up code may look at what is
  // there; so does a retry() that leads here, swallowed or not. No exception may be set then: any code may
  // run.
  void end(PyObject* exception);

 private:
  Thread& thread_;
  const std::uint64_t level_around_;
  std::uint64_t level_;
  const core::Clock::time_point deadline_around_;
  Ref deadline_of_around_;
  const bool exclusive_around_;
  const bool has_timeout_;
  core::Savepoint savepoint_;
};

}  // namespace stmpy
