#include "tests/core/support/stage.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace stmpy::core::test {
namespace {

thread_local std::function<void(Step)> at_step;

}  // namespace

Actor::Actor(Part part) {
  thread_ = std::thread([this, part = std::move(part)] {
    at_step = [this](Step step) { at(step); };
    schedule_hook = [](Step step) { at_step(step); };
    {
      std::unique_lock guard(mutex_);
      wait_until(guard, "start", [this] { return running_; });
    }
    {
      Thread thread;
      part(thread);
    }
    const std::lock_guard guard(mutex_);
    ended_ = true;
    running_ = false;
    changed_.notify_all();
  });
}

Actor::~Actor() {
  if (thread_.joinable()) run_to_end();
}

void Actor::at(std::optional<Step> place) {
  std::unique_lock guard(mutex_);
  if (!stops_ || stop_at_ != place) return;
  running_ = false;
  changed_.notify_all();
  wait_until(guard, "be told to go on", [this] { return running_; });
}

void Actor::stop_here() { at(std::nullopt); }
void Actor::run_to(Step step) { run_to_place(step); }

void Actor::run_to_place(std::optional<Step> place) {
  std::unique_lock guard(mutex_);
  stops_ = true;
  stop_at_ = place;
  running_ = true;
  changed_.notify_all();
  wait_until(guard, "stand at its step", [this] { return !running_; });
  if (ended_) {
    std::fputs("an actor ended before the step at which it should stand\n", stderr);
    std::abort();
  }
}

void Actor::let_go() {
  const std::lock_guard guard(mutex_);
  stops_ = false;
  running_ = true;
  changed_.notify_all();
}

void Actor::run_to_end() {
  let_go();
  {
    std::unique_lock guard(mutex_);
    wait_until(guard, "play to the end", [this] { return ended_; });
  }
  thread_.join();
}

void Actor::wait_until(std::unique_lock<std::mutex>& guard, const char* what,
                       const std::function<bool()>& condition) {
  // Longer than any schedule takes: a thread that does not come has lost its wake-up, and cannot be joined.
  if (changed_.wait_for(guard, std::chrono::seconds(20), condition)) return;
  std::fprintf(stderr, "an actor does not %s\n", what);
  std::abort();
}

}  // namespace stmpy::core::test
