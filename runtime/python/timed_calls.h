// The nested calls of a transaction that have a timeout, in the order in which an attempt comes to them.
//
// A call that was left because the whole is run again goes on in the next attempt, where it is the one with
// the same number, name and timeout: its time is not given anew. So a wait that has used it up is run again,
// and ends in TransactionTimeout there, where the call stands; and one that has ended
// so does so in all later attempts, or what follows it would never be reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/core/parking.h"
#include "runtime/python/references.h"

namespace stmpy {

class TimedCalls {
 public:
  // `first`: of its call.
  void begin_attempt(bool first) {
    if (calls_.empty()) [[likely]]
      return;
    cut(first ? 0 : begun_);  // no further than the last attempt came
    begun_ = 0;
  }

  // The next one begins, and has until then. `name` is interned; `fresh` is its deadline if it is new.
  // std::bad_alloc with nothing changed.
  core::Clock::time_point begin(PyObject* name, double timeout, core::Clock::time_point fresh,
                                std::uint64_t level) {
    if (begun_ < calls_.size() && (calls_[begun_].name.get() != name || calls_[begun_].timeout != timeout))
      cut(begun_);
    if (begun_ == calls_.size()) calls_.push_back({Ref::borrow(name), timeout, fresh, level, State::Ended});
    Call& call = calls_[begun_++];
    if (call.state == State::Ended) call.deadline = fresh;
    call.level = level;
    call.state = State::Open;
    return call.deadline;
  }
  enum class State : std::uint8_t {
    Open,
    Ended,
    Left,      // to be run again
    TimedOut,  // in retry()
  };
  void end(std::uint64_t level, State how) {
    for (std::size_t index = begun_; index-- > 0;) {
      if (calls_[index].level != level) continue;
      calls_[index].state = how;
      return;
    }
  }

  // The level of the open call inside of `around` whose time was up first; 0: none.
  std::uint64_t overdue(std::uint64_t around) const {
    const Call* first = nullptr;
    const core::Clock::time_point now = begun_ ? core::Clock::now() : core::Clock::time_point();
    for (std::size_t index = 0; index < begun_; ++index) {
      const Call& call = calls_[index];
      if (call.state != State::Open || call.level <= around || call.deadline > now) continue;
      if (!first || call.deadline < first->deadline) first = &call;
    }
    return first ? first->level : 0;
  }
  // When the first of those that were left is overdue.
  core::Clock::time_point next_deadline() const {
    core::Clock::time_point next = core::kNoDeadline;
    for (std::size_t index = 0; index < begun_; ++index) {
      if (calls_[index].state == State::Left && calls_[index].deadline < next) next = calls_[index].deadline;
    }
    return next;
  }

 private:
  [[gnu::noinline]] void cut(std::size_t count) {
    calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(count), calls_.end());
  }

  struct Call {
    Ref name;
    double timeout;
    core::Clock::time_point deadline;
    std::uint64_t level;
    State state;
  };
  std::vector<Call> calls_;
  std::size_t begun_ = 0;  // by this attempt; no more than there are
};

}  // namespace stmpy
