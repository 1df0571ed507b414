// The watchers' table (protocol, sections 4, 6 and 8): who waits in `retry()`, and for a change of what.
//
// The *watched* bit of a record says that the table may know somebody. Whoever watches enters the table and
// sets the bit while it still holds the pair, so that nothing can change unseen. A commit that has changed
// the value takes the bit with its release, then looks the watchers up; an abort leaves it. A bit that nobody
// stands behind any more costs the next change one look.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/core/descriptor.h"

namespace stmpy::core {

class Watch;

// A watched pair, in the table.
struct Watcher {
  Record* record;
  void* object;  // the watch holds a reference
  Watch* watch;
  Watcher* next;
  Watcher** place;  // what points to this one
};

// One wait: for a change of anything that an attempt has registered. All but the wake-up is done by the
// thread whose it is.
class Watch {
 public:
  // By an attempt that will not commit, before its revert. Those with smaller turns are woken first.
  // std::bad_alloc with nothing entered.
  Watch(Descriptor& self, std::uint64_t turn);
  // Leaves the table, and gives back the objects (any code may run).
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  enum class Woken : std::uint8_t { Changed, Interrupted, TimedOut, Alone };
  // Behind the end of the attempt. Changed: a change came, maybe long before. Alone: no other thread will
  // ever run again.
  Woken wait(Clock::time_point deadline);

  // What is watched; the objects live.
  const std::vector<Watcher>& pairs() const { return watchers_; }
  const std::vector<void*>& objects() const { return objects_; }

 private:
  friend void note_watchers(Descriptor& self, const Record& record);
  friend Watch* reset_watchers_after_fork(Descriptor* survivor);
  friend void release_left_behind(Watch* first);

  Descriptor& self_;
  const std::uint64_t turn_;
  std::vector<Watcher> watchers_;
  std::vector<void*> objects_;  // each once
  std::atomic<bool> woken_{false};
  Watch* next_;
  Watch** place_;
};

// The order in which calls came to wait, from 1.
std::uint64_t draw_turn();

// Behind a release that took the watched bit: notes who is to be woken.
void note_watchers(Descriptor& self, const Record& record);
// Wakes all who were noted, by their turns.
void wake_noted(Descriptor& self);

// Releases a pair that was held for a moment, without an attempt, and wakes who watches it.
inline void release_and_wake(Descriptor& self, Record& record, bool changed) {
  if (!record.release(self, changed)) return;
  note_watchers(self, record);
  wake_noted(self);
}
// Releases what the attempt holds still: what others watch, hold or claim too. Notes who is to be woken,
// where it has committed.
void release_rest(Descriptor& self, bool committed);

// In the child after a fork: locks anew, nobody but the survivor watches. The watches of the others, in a
// list: what they hold is to be released when their attempts are finished (any code may run).
Watch* reset_watchers_after_fork(Descriptor* survivor);
void release_left_behind(Watch* first);

}  // namespace stmpy::core
