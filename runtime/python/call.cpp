#include "runtime/python/call.h"

#include <chrono>
#include <new>
#include <utility>

#include "runtime/python/errors.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

using core::Counter;

// Leaving with one of these ends the call even where the attempt was doomed.
bool always_propagates(PyObject* exception) {
  return exception && (PyErr_GivenExceptionMatches(exception, PyExc_KeyboardInterrupt) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_SystemExit) ||
                       PyErr_GivenExceptionMatches(exception, PyExc_MemoryError));
}

// The exception that is set has taken the place of another one.
void set_context(PyObject* replaced) {
  RaisedException raised = RaisedException::take();
  const Ref context = Ref::steal(PyException_GetContext(raised.get()));
  if (!context && raised.get() != replaced) PyException_SetContext(raised.get(), Py_NewRef(replaced));
  raised.raise_again();
}

}  // namespace

core::Clock::time_point deadline_of(const Options& options) {
  if (options.timeout < 0) return core::kNoDeadline;
  const auto now = core::Clock::now();
  const auto longest = std::chrono::duration<double>(core::kNoDeadline - now).count();
  if (options.timeout >= longest) return core::kNoDeadline;
  return now +
         std::chrono::duration_cast<core::Clock::duration>(std::chrono::duration<double>(options.timeout));
}

BetweenAttempts::BetweenAttempts(Thread& thread)
    : thread_(thread),
      name_(thread.name.get()),
      call_(thread.call.get()),
      timed_out_(thread.timed_out),
      deadline_of_(std::move(thread.deadline_of)),
      deadline_(thread.descriptor.deadline),
      age_(thread.descriptor.age.load(std::memory_order_relaxed)),
      promoted_(std::move(thread.descriptor.promoted)) {}

BetweenAttempts::~BetweenAttempts() {
  thread_.name.set(name_);
  thread_.call.set(call_);
  thread_.deadline_of = std::move(deadline_of_);
  thread_.descriptor.age.store(age_, std::memory_order_relaxed);
  thread_.descriptor.promoted = std::move(promoted_);
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

TakenBack OutermostCall::take_back(PyObject* exception) {
  core::Descriptor& self = thread_.descriptor;
  // Doomed without being told, and left by an exception of its own: what it saw was consistent, so the
  // exception is true.
  const bool aborted = !exception || (thread_.told && self.state().state() == core::State::Doomed);
  self.counters.add(aborted ? Counter::AbortedByConflict : Counter::AbortedByException);
  if (aborted) core::draw_age(self);
  between_.emplace(thread_);
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
  if (options_.max_attempts != 0 && attempts_ >= options_.max_attempts) {
    PyErr_Format(errors::too_many_attempts,
                 "%U was aborted %llu times, as often as max_attempts allows; nothing was changed",
                 options_.name, static_cast<unsigned long long>(attempts_));
    return false;
  }
  return arguments.can_run_again(options_.name) && between_->wait();
}

bool may_nest(Thread& thread) {
  if (must_abort(thread)) {
    raise_abort(thread);
    return false;
  }
  if (!is_unrecorded(thread)) return true;
  raise_unrecorded("an atomic function or block cannot be run");
  return false;
}

NestedCall::NestedCall(Thread& thread, const Options& options)
    : thread_(thread),
      level_around_(thread.level),
      deadline_around_(thread.descriptor.deadline),
      deadline_of_around_(Ref::borrow(thread.deadline_of.get())),
      exclusive_around_(thread.descriptor.exclusive) {
  core::Descriptor& self = thread.descriptor;
  if (const auto own = deadline_of(options); own < deadline_around_) {
    self.deadline = own;
    thread.deadline_of = Ref::borrow(options.name);
  }
  core::set_exclusive(self, exclusive_around_ || options.exclusive);
  savepoint_ = core::open_savepoint(self);
  thread.open_level();
}

void NestedCall::end(PyObject* exception) {
  core::Descriptor& self = thread_.descriptor;
  end_unrecorded(thread_, thread_.level);
  thread_.level = level_around_;
  core::set_exclusive(self, exclusive_around_);
  const bool doomed = self.state().state() == core::State::Doomed;
  if (!doomed) {  // an abort keeps the tightest deadline: the wait before the next attempt counts too
    self.deadline = deadline_around_;
    thread_.deadline_of = std::move(deadline_of_around_);
  }
  if (!exception || (doomed && is_abort(exception))) {
    core::close_savepoint(self);
  } else {
    core::revert_savepoint(self, savepoint_);
  }
}

namespace {

template <class Call>
PyObject* call_nested(Thread& thread, const Options& options, Call call) {
  if (!may_nest(thread)) return nullptr;
  NestedCall nested(thread, options);
  PyObject* result = call();
  if (result) {
    nested.end(nullptr);
  } else {
    RaisedException raised = RaisedException::take();
    nested.end(raised.get());
    raised.raise_again();
  }
  return result;
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
  if (thread->in_transaction()) return call_nested(*thread, options, call);
  try {
    const ConsumableArguments arguments(
        args, PyVectorcall_NARGS(nargsf) + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
    return call_outermost(*thread, options, arguments, call);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

}  // namespace stmpy
