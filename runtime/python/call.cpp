#include "runtime/python/call.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "runtime/python/errors.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
using core::Counter;

bool always_propagates(PyObject* exception) {
  return exception && (PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_SystemExit) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_MemoryError));
}

namespace {

// The exception that is set has taken the place of another one.
void set_context(PyObject* replaced) {
  RaisedException raised = RaisedException::take();
  const Ref context = Ref::steal(PyException_GetContext(raised.get()));
  if (!context && raised.get() != replaced) PyException_SetContext(raised.get(), Py_NewRef(replaced));
  raised.raise_again();
}

}  // namespace

core::Clock::time_point deadline_in(double seconds) {
  const auto now = core::Clock::now();
  const auto longest = std::chrono::duration<double>(core::kNoDeadline - now).count();
  if (seconds >= longest) return core::kNoDeadline;
  return now + std::chrono::duration_cast<core::Clock::duration>(std::chrono::duration<double>(seconds));
}

BetweenAttempts::BetweenAttempts(Thread& thread)
    : thread_(thread),
      name_(thread.name.get()),
      call_(thread.call.get()),
      timed_out_(thread.timed_out),
      deadline_of_(std::move(thread.deadline_of)),
      deadline_(thread.descriptor.deadline),
      age_(thread.descriptor.age.load(std::memory_order_relaxed)),
      promoted_(std::move(thread.descriptor.promoted)),
      timed_calls_(std::exchange(thread.timed_calls, TimedCalls())),
      retry_place_(std::move(thread.retry_place)) {}

BetweenAttempts::~BetweenAttempts() {
  watch_.reset();  // any code may run
  thread_.show_call(name_, call_);
  thread_.deadline_of = std::move(deadline_of_);
  thread_.descriptor.age.store(age_, std::memory_order_relaxed);
  thread_.descriptor.promoted = std::move(promoted_);
  thread_.timed_calls = std::move(timed_calls_);
}

bool BetweenAttempts::wait() {
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

bool BetweenAttempts::wait_for_token() {
  thread_.descriptor.deadline = deadline_;
  if (!stmpy::wait_for_token(thread_, name_of_deadline())) return false;
  age_ = core::kOldest;
  return true;
}

void BetweenAttempts::watch(std::uint64_t turn) {
  try {
    watch_ = std::make_unique<core::Watch>(thread_.descriptor, turn);
  } catch (const std::bad_alloc&) {  // found out when it comes to the wait
  }
}

bool BetweenAttempts::wait_for_change(const Options& options, core::Clock::time_point deadline,
                                      bool& overdue) {
  using Woken = core::Watch::Woken;
  if (!watch_) {
    PyErr_NoMemory();
    return false;
  }
  if (is_futile(*watch_)) {
    raise_futile_retry(
        retry_place_,
        "the transaction has read only objects that nobody else can reach, so that nothing could "
        "ever wake it");
    return false;
  }
  const core::Clock::time_point nested_deadline = timed_calls_.next_deadline();
  core::forget_age(thread_.descriptor);  // whoever waits for older calls does not wait for this one
  const Woken woken = overdue ? Woken::TimedOut : watch_->wait(std::min(deadline, nested_deadline));
  overdue = deadline != core::kNoDeadline && core::Clock::now() >= deadline;
  if (woken == Woken::TimedOut && deadline <= nested_deadline)
    raise_retry_timeout(options.name, retry_place_, watch_->pairs());
  if (woken == Woken::Alone)
    raise_futile_retry(retry_place_, "the interpreter is shutting down, and no other thread can wake it");
  RaisedException raised = RaisedException::take();
  watch_.reset();  // any code may run
  age_ = 0;
  if (!raised.get()) return true;  // maybe only to find that the time of a nested call is up
  raised.raise_again();
  return false;
}

bool OutermostCall::begin_unlike_most() {
  if (irrevocable_) {
    if (!between_) {
      set_own_deadline();
      between_.emplace(thread_);
    }
    if (!between_->wait_for_token()) return false;
  }
  between_.reset();
  if (attempts_ != 0) thread_.descriptor.counters.reach(core::Peak::Attempts, attempts_ + 1 - retries_);
  return true;
}

TakenBack OutermostCall::take_back(PyObject* exception) {
  core::Descriptor& self = thread_.descriptor;
  // Doomed without being told, and left by an exception of its own: what it saw was consistent, so the
  // exception is true.
  const bool doomed = self.state().state() == core::State::Doomed;
  const bool aborted = !exception || (thread_.told && doomed);
  irrevocable_ |= aborted && thread_.needs_token;
  waits_for_change_ = thread_.retrying && doomed && !always_propagates(exception);
  self.counters.add(waits_for_change_ ? Counter::Retries
                    : aborted         ? Counter::AbortedByConflict
                                      : Counter::AbortedByException);
  if (aborted && !waits_for_change_) {
    core::draw_age(self);
    const bool by_itself = self.blocker || thread_.timed_out || thread_.needs_token;
    if (!by_itself) self.counters.add(Counter::AbortedBySenior);
  }
  between_.emplace(thread_);
  if (waits_for_change_) {
    ++retries_;
    if (turn_ == 0) turn_ = core::draw_turn();
    between_->watch(turn_);
  }
  if (!revert_attempt(thread_)) {
    if (exception && !is_abort(exception)) set_context(exception);
    return TakenBack::Raised;
  }
  return aborted && !always_propagates(exception) ? TakenBack::RunsAgain : TakenBack::Leaves;
}

bool OutermostCall::wait_for_turn(const ConsumableArguments& arguments) {
  if (between_->timed_out()) {
    between_->raise_timeout();
    return false;
  }
  if (waits_for_change_)
    return arguments.can_run_again(options_.name) && between_->wait_for_change(options_, deadline_, overdue_);
  const std::uint64_t aborts = attempts_ - retries_;
  if (options_.max_attempts != 0 && !irrevocable_ && aborts >= options_.max_attempts) {
    PyErr_Format(errors::too_many_attempts,
                 "%U was aborted %llu times, as often as max_attempts allows; nothing was changed",
                 options_.name, static_cast<unsigned long long>(aborts));
    return false;
  }
  return arguments.can_run_again(options_.name) && (irrevocable_ || between_->wait());
}

namespace {

// For what follows, if that is before the deadline that there is.
void tighten_deadline(Thread& thread, const Options& options, core::Clock::time_point own) {
  if (own >= thread.descriptor.deadline) return;
  thread.descriptor.deadline = own;
  thread.deadline_of = Ref::borrow(options.name);
}

}  // namespace

bool may_nest(Thread& thread, const Options& options) {
  if (must_abort(thread)) {
    raise_abort(thread);
    return false;
  }
  if (is_unrecorded(thread)) {
    raise_unrecorded("an atomic function or block cannot be run");
    return false;
  }
  if (!options.irrevocable || thread.retrying || thread.descriptor.state().state() != core::State::Active)
    return true;
  thread.needs_token = true;
  tighten_deadline(thread, options, deadline_of(options));  // it is for the wait for the token
  core::doom(thread.descriptor);
  raise_abort(thread);
  return false;
}

NestedCall::NestedCall(Thread& thread, const Options& options)
    : thread_(thread),
      level_around_(thread.level),
      deadline_around_(thread.descriptor.deadline),
      deadline_of_around_(Ref::borrow(thread.deadline_of.get())),
      exclusive_around_(thread.descriptor.exclusive),
      has_timeout_(options.timeout >= 0 && !core::is_irrevocable(thread.descriptor)) {
  core::Descriptor& self = thread.descriptor;
  if (has_timeout_) {
    tighten_deadline(
        thread, options,
        thread.timed_calls.begin(options.name, options.timeout, deadline_of(options), thread.last_level + 1));
  }
  core::set_exclusive(self, exclusive_around_ || options.exclusive);
  savepoint_ = core::open_savepoint(self);
  thread.open_level();
  level_ = thread.level;
}

void NestedCall::end(PyObject* exception) {
  core::Descriptor& self = thread_.descriptor;
  end_unrecorded(thread_, thread_.level);
  const bool is_target = is_retry_target();
  if (is_target) end_retry(thread_);
  thread_.level = level_around_;
  core::set_exclusive(self, exclusive_around_);
  const bool doomed = self.state().state() == core::State::Doomed;
  const bool left = doomed || thread_.retrying;  // what is around it is reverted with it
  if (has_timeout_) {
    using State = TimedCalls::State;
    thread_.timed_calls.end(level_, left ? State::Left : is_target ? State::TimedOut : State::Ended);
  }
  if (!doomed) {  // an abort keeps the tightest deadline: the wait before the next attempt counts too
    self.deadline = deadline_around_;
    thread_.deadline_of = std::move(deadline_of_around_);
  }
  if (!is_target && (!exception || (left && is_abort(exception)))) {
    core::close_savepoint(self);
  } else {
    core::revert_savepoint(self, savepoint_);
  }
  if (thread_.retrying) core::hide_from_inline_checks(self);
}

namespace {

template <class Call>
PyObject* call_nested(Thread& thread, const Options& options, Call call) {
  if (!may_nest(thread, options)) return nullptr;
  NestedCall nested(thread, options);
  Ref result = Ref::steal(call());
  const bool timed_out = nested.is_retry_target();
  if (result && !timed_out) {
    nested.end(nullptr);
    return result.release();
  }
  RaisedException raised = RaisedException::take();
  nested.end(raised.get());
  if (!timed_out || always_propagates(raised.get())) {
    raised.raise_again();
  } else {
    raise_retry_timeout(thread, options.name);
  }
  return nullptr;
}

}  // namespace

PyObject* call_atomically(const Options& options, PyObject* callable, PyObject* const* args,
                          std::size_t nargsf, PyObject* kwnames) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  const auto call = [&] {
    // What PyObject_Vectorcall adds for any callable, a function of Python's does not need.
    const auto vectorcall = Py_IS_TYPE(callable, &PyFunction_Type)
                                ? reinterpret_cast<PyFunctionObject*>(callable)->vectorcall
                                : PyObject_Vectorcall;
    return vectorcall(callable, args, nargsf, kwnames);
  };
  try {
    if (thread->in_transaction()) [[unlikely]]
      return call_nested(*thread, options, call);
    const ConsumableArguments arguments(
        args, PyVectorcall_NARGS(nargsf) + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
    return call_outermost(*thread, options, arguments, call);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace stmpy
