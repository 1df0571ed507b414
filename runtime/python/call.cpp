#include "runtime/python/call.h"

#include <chrono>
#include <new>
#include <utility>
#include <vector>

#include "runtime/python/attempts.h"
#include "runtime/python/consumable.h"
#include "runtime/python/errors.h"

namespace stmpy {
namespace {

using core::Counter;

core::Clock::time_point deadline_of(const Options& options) {
  if (options.timeout < 0) return core::kNoDeadline;
  const auto now = core::Clock::now();
  const auto longest = std::chrono::duration<double>(core::kNoDeadline - now).count();
  if (options.timeout >= longest) return core::kNoDeadline;
  return now +
         std::chrono::duration_cast<core::Clock::duration>(std::chrono::duration<double>(options.timeout));
}

// Leaving with one of these ends the call even where the attempt was doomed.
bool always_propagates(PyObject* exception) {
  return exception && (PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_SystemExit) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_MemoryError));
}

// Between two attempts of a call, finalisers and signal handlers may begin transactions of their own on the
// same thread: what belongs to the call is kept here, and put back at the end.
class BetweenAttempts {
 public:
  explicit BetweenAttempts(Thread& thread)
      : thread_(thread),
        name_(thread.name.get()),
        call_(thread.call.get()),
        timed_out_(thread.timed_out),
        deadline_of_(std::move(thread.deadline_of)),
        deadline_(thread.descriptor.deadline),
        age_(thread.descriptor.age.load(std::memory_order_relaxed)),
        promoted_(std::move(thread.descriptor.promoted)) {}
  ~BetweenAttempts() {
    thread_.name.set(name_);
    thread_.call.set(call_);
    thread_.deadline_of = std::move(deadline_of_);
    thread_.descriptor.age.store(age_, std::memory_order_relaxed);
    thread_.descriptor.promoted = std::move(promoted_);
  }
  BetweenAttempts(const BetweenAttempts&) = delete;
  BetweenAttempts& operator=(const BetweenAttempts&) = delete;

  bool timed_out() const { return timed_out_; }
  void raise_timeout() const { stmpy::raise_timeout(deadline_of_ ? deadline_of_.get() : name_); }
  // Until whoever was in the way has ended. False with an exception.
  bool wait() {
    thread_.descriptor.deadline = deadline_;
    switch (core::wait_for_blocker(thread_.descriptor)) {
      case core::Wait::Ended:
      case core::Wait::Doomed:
      case core::Wait::LostPatience:
        break;
      case core::Wait::Interrupted:
        return false;
      case core::Wait::TimedOut:
        raise_timeout();
        return false;
    }
    if (deadline_ == core::kNoDeadline || core::Clock::now() < deadline_) return true;
    raise_timeout();
    return false;
  }

 private:
  Thread& thread_;
  PyObject* const name_;
  const std::uint64_t call_;
  const bool timed_out_;
  Ref deadline_of_;
  const core::Clock::time_point deadline_;
  const std::uint64_t age_;
  std::vector<core::Record*> promoted_;
};

class OutermostCall {
 public:
  OutermostCall(Thread& thread, const Options& options)
      : thread_(thread), options_(options), deadline_(deadline_of(options)) {
    core::Descriptor& self = thread.descriptor;
    self.age.store(0, std::memory_order_relaxed);
    self.promoted.clear();
    self.counters.add(Counter::Begun);
    thread.name.set(options.name);
    thread.call.set(thread.next_call++ << 20 | self.id);
  }
  ~OutermostCall() {
    thread_.call.set(0);
    thread_.name.set(nullptr);
  }
  OutermostCall(const OutermostCall&) = delete;
  OutermostCall& operator=(const OutermostCall&) = delete;

  void begin() {
    thread_.attempt.set(++attempts_);
    thread_.descriptor.deadline = deadline_;
    thread_.deadline_of = Ref::borrow(options_.timeout < 0 ? nullptr : options_.name);
    begin_attempt(thread_);
    core::set_exclusive(thread_.descriptor, options_.exclusive);
  }

  // Behind an attempt that did not commit: takes it back. True: run it again. False: with the exception that
  // leaves.
  bool end_and_rerun(Ref result, const ConsumableArguments& arguments) {
    core::Descriptor& self = thread_.descriptor;
    // Doomed without being told, and left by an exception of its own: what it saw was consistent, so the
    // exception is true.
    const bool told = thread_.told || thread_.telling.load() != Telling::Quiet;
    const bool aborted = result || (told && self.state().state() == core::State::Doomed);
    RaisedException raised = RaisedException::take();
    const bool leaves = !aborted || always_propagates(raised.get());
    self.counters.add(aborted ? Counter::AbortedByConflict : Counter::AbortedByException);
    if (aborted) core::draw_age(self);
    BetweenAttempts state_of_call(thread_);
    revert_attempt(thread_);
    if (leaves) {
      raised.raise_again();
      return false;
    }
    raised = RaisedException();  // may run any code: outside of the transaction
    result = Ref();
    if (state_of_call.timed_out()) {
      state_of_call.raise_timeout();
      return false;
    }
    if (options_.max_attempts != 0 && attempts_ >= options_.max_attempts) {
      PyErr_Format(errors::too_many_attempts,
                   "%U was aborted %llu times, as often as max_attempts allows; nothing was changed",
                   options_.name, static_cast<unsigned long long>(attempts_));
      return false;
    }
    return arguments.can_run_again(options_.name) && state_of_call.wait();
  }

 private:
  Thread& thread_;
  const Options& options_;
  const core::Clock::time_point deadline_;
  std::uint64_t attempts_ = 0;
};

// A nested call: a savepoint, which an exception of the user's reverts. A conflict goes on to the outermost
// call.
template <class Call>
PyObject* call_nested(Thread& thread, const Options& options, Call call) {
  core::Descriptor& self = thread.descriptor;
  if (must_abort(thread)) {
    raise_abort(thread);
    return nullptr;
  }
  const core::Clock::time_point deadline = self.deadline;
  Ref name_of_deadline = Ref::borrow(thread.deadline_of.get());
  const bool exclusive = self.exclusive;
  if (const auto own = deadline_of(options); own < deadline) {
    self.deadline = own;
    thread.deadline_of = Ref::borrow(options.name);
  }
  core::set_exclusive(self, exclusive || options.exclusive);
  const core::Savepoint savepoint = core::open_savepoint(self);
  ++thread.nesting;
  PyObject* result = call();
  --thread.nesting;
  core::set_exclusive(self, exclusive);
  const bool doomed = self.state().state() == core::State::Doomed;
  if (result || doomed) {
    core::close_savepoint(self);
  } else {
    RaisedException raised = RaisedException::take();
    core::revert_savepoint(self, savepoint);
    raised.raise_again();
  }
  if (!doomed) {  // an abort keeps the tightest deadline: the wait before the next attempt counts too
    self.deadline = deadline;
    thread.deadline_of = std::move(name_of_deadline);
  }
  return result;
}

}  // namespace

PyObject* call_atomically(const Options& options, PyObject* callable, PyObject* const* args,
                          std::size_t nargsf, PyObject* kwnames) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  const auto call = [&] { return PyObject_Vectorcall(callable, args, nargsf, kwnames); };
  if (thread->in_transaction()) return call_nested(*thread, options, call);
  try {
    const ConsumableArguments arguments(
        args, PyVectorcall_NARGS(nargsf) + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
    OutermostCall outermost(*thread, options);
    for (;;) {
      outermost.begin();
      PyObject* result = call();
      if (result && commit_attempt(*thread)) return result;
      if (!outermost.end_and_rerun(Ref::steal(result), arguments)) return nullptr;
    }
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace stmpy
