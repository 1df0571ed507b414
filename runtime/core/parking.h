// Blocking and waking (protocol, section 4). A thread sleeps on its own parker; who ends what it waits for,
// dooms it or displaces its claim unparks it. A wake-up that comes before the sleep is kept.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace stmpy::core {

using Clock = std::chrono::steady_clock;
inline constexpr Clock::time_point kNoDeadline = Clock::time_point::max();

class Parker {
 public:
  // Sleeps until unparked, or until `deadline`. May return early. Called without the language's lock.
  void park(Clock::time_point deadline);
  void unpark();
  // Forgets a wake-up that was meant for an earlier wait.
  void reset();

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool token_ = false;
};

enum class Wait : std::uint8_t { Ended, Doomed, Interrupted, TimedOut, LostPatience };

}  // namespace stmpy::core
