// The waits that go on, for who looks on (stmpy.watch_stalls). A thread shows what it waits for where it is
// about to sleep, and nowhere else; whoever looks takes no lock that a waiter takes.
#pragma once

#include <vector>

#include "runtime/core/reclaim.h"
#include "runtime/core/transaction.h"

namespace stmpy::core {

// Shows a wait of the thread's for as long as this lives; a signal handler may begin another one in it.
class ShowAwaiting {
 public:
  ShowAwaiting(Descriptor& self, const Attempt& whom, const Record* at)
      : self_(self), around_(self.awaiting.get()), shown_{++self.waits_shown, Clock::now(), whom, at} {
    self.awaiting.set(shown_);
  }
  ~ShowAwaiting() { self_.awaiting.set(around_); }
  ShowAwaiting(const ShowAwaiting&) = delete;
  ShowAwaiting& operator=(const ShowAwaiting&) = delete;

  // The same wait, for somebody else.
  void goes_on(const Attempt& whom) {
    shown_.whom = whom;
    self_.awaiting.set(shown_);
  }

 private:
  Descriptor& self_;
  const Awaiting around_;
  Awaiting shown_;
};

struct SeenWait {
  Descriptor* waiter;
  Awaiting awaiting;
};
// Those that have begun at `latest` or before.
std::vector<SeenWait> waits_since(Clock::time_point latest);

// The object of the pair that a wait is for. Null where nobody has it any more, or the wait is for
// the token. Valid (to be counted by the caller) while the observer lives.
void* awaited_object(const Observer& observer, const Awaiting& awaiting);

}  // namespace stmpy::core
