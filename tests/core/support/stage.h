// Threads whose interleaving a test decides: each runs to a step of the core that the test names, and stops
// there.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/core/schedule.h"
#include "tests/core/support/world.h"

namespace stmpy::core::test {

class Actor {
 public:
  using Part = std::function<void(Thread&)>;
  // Does nothing until it is told to run.
  explicit Actor(Part part);
  // Runs to the end.
  ~Actor();
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Returns when the actor stands at the next `step`. Ends the process where it does not come there.
  void run_to(Step step);
  // Lets it run without end, and does not wait for it.
  void let_go();
  // Returns when it has played its part.
  void run_to_end();
  // A place to stop at in the part itself.
  void stop_here();
  void run_to_stop() { run_to_place(std::nullopt); }

 private:
  void run_to_place(std::optional<Step> place);
  void at(std::optional<Step> place);
  void wait_until(std::unique_lock<std::mutex>& guard, const char* what,
                  const std::function<bool()>& condition);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = false, stops_ = false, ended_ = false;
  std::optional<Step> stop_at_;
  std::thread thread_;
};

}  // namespace stmpy::core::test
