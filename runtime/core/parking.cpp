#include "runtime/core/parking.h"

namespace stmpy::core {

void Parker::park(Clock::time_point deadline) {
  std::unique_lock guard(mutex_);
  if (deadline == kNoDeadline) {
    wake_.wait(guard, [this] { return token_; });
  } else {
    wake_.wait_until(guard, deadline, [this] { return token_; });
  }
  token_ = false;
}

void Parker::unpark() {
  {
    const std::lock_guard guard(mutex_);
    token_ = true;
  }
  wake_.notify_one();
}

void Parker::reset() {
  const std::lock_guard guard(mutex_);
  token_ = false;
}

}  // namespace stmpy::core
