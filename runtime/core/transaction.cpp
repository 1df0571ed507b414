#include "runtime/core/transaction.h"

#include <new>
#include <utility>

#include "runtime/core/conflict.h"
#include "runtime/core/contention.h"
#include "runtime/core/host.h"
#include "runtime/core/irrevocable.h"
#include "runtime/core/schedule.h"
#include "runtime/core/waits.h"
#include "runtime/core/watch.h"

namespace stmpy::core {
namespace {

// Under reads="exclusive" in a savepoint, what is held may be held in a shared mode from before: each access
// has to look.
bool may_have_to_raise(const Descriptor& self) { return self.exclusive && self.depth > 0; }

[[gnu::always_inline]] inline void show_patterns(Descriptor& self) {
  const bool usable = self.thin_id != 0;
  self.held_pattern.set(usable && !may_have_to_raise(self) ? Record::held_pattern(self.thin_id)
                                                           : Record::kNoPattern);
  self.written_pattern.set(usable && self.depth == 0 ? Record::written_pattern(self.thin_id)
                                                     : Record::kNoPattern);
}

// The barrier has its answer, or raises.
void end_request(Descriptor& self) {
  drop_claim(self);
  self.refusals = self.lost_races = 0;
}

// What is written from here on has to be logged again.
void forget_logged(Descriptor& self) {
  self.logged_in_savepoint.fill(nullptr);
  self.displaced_in_savepoint.clear();
}

void undo(LogEntry& entry) {
  if (entry.flags.get() & (LogEntry::kUndone | LogEntry::kVoid)) return;
  void* old_value = entry.old_value.get();
  void* thrown_away;
  if (Slot* slot = entry.slot.get()) {
    thrown_away = slot->load(std::memory_order_relaxed);
    slot->store(old_value, kRelease);
  } else {
    thrown_away = entry.change.get()->restore(entry.object.get(), old_value);
  }
  entry.thrown_away.set(thrown_away);
  entry.flags.set(entry.flags.get() | LogEntry::kUndone);
}

void apply_effects(Descriptor& self) {
  if (self.effects.empty_since(self.first_effect)) return;
  std::uint64_t stamp = 0;
  self.effects.forwards(self.first_effect, [&](PendingEffect& pending) {
    const Effect* effect = pending.effect.get();
    if (!effect) return;
    if (effect->needs_stamp && stamp == 0) stamp = draw_stamp();
    effect->apply(pending.object.get(), pending.reference.get(), pending.amount.get(),
                  effect->needs_stamp ? stamp : 0);
    pending.effect.set(nullptr);  // a fork may come in between: the child goes on here
  });
}

void revert_effects(Descriptor& self, AppendLog<PendingEffect>::Position since) {
  self.effects.forwards(since, [](PendingEffect& pending) { pending.effect.set(nullptr); });
  ++self.effect_reverts;
}

// Releases everything, then ends the attempt, then wakes who waits for that: waking earlier loses wake-ups.
void end_attempt(Descriptor& self, bool committed) {
  drop_claim(self);
  const std::uint64_t thin_id = self.thin_id;
  bool all_released = true;
  for_each_pair(self, [&](Record& record, void*) { all_released &= record.release_if_alone(thin_id); });
  if (!all_released) [[unlikely]]
    release_rest(self, committed);
  schedule(Step::Released);
  hide_patterns(self);
  if (self.has_token) [[unlikely]]
    give_back_token(self);
  self.depth = 0;
  self.status.store_fenced(Status::of(self.state().generation(), State::Idle).bits);
  schedule(Step::Ended);
  if (self.waiting_for_it.load(std::memory_order_seq_cst) != 0) [[unlikely]] {
    const std::lock_guard guard(self.waiters_mutex);
    for (const Waiter* waiter = self.first_waiter; waiter; waiter = waiter->next) waiter->parker->unpark();
  }
  if (!all_released) [[unlikely]]
    wake_noted(self);
}

}  // namespace

void begin(Descriptor& self, bool exclusive) {
  self.first_access.set(self.accesses.position());
  self.first_entry.set(self.log.position());
  self.first_effect = self.effects.position();
  self.first_made.set(self.made.position());
  self.refusals = self.lost_races = 0;
  self.blocker = {};
  set_exclusive(self, exclusive);
  self.counters.add(Counter::Attempts);
  show_patterns(self);
  self.status.store(Status::of(self.state().generation() + 1, State::Active).bits);
}

Outcome access(Descriptor& self, Record& record, void* object, Mode mode) {
  if (self.state().state() == State::Doomed) {
    hide_patterns(self);  // by another: it is noticed here
    return Outcome::Aborted;
  }
  if (self.claimed != &record) drop_claim(self);
  Refusal refusal;
  Request answer = Request::Granted;
  try {
    self.accesses.reserve();
    schedule(Step::Requested);
    if (!record.take_if_free(self.thin_id, mode)) answer = record.request(self, mode, refusal);
    if (answer == Request::Refused) {
      const Outcome outcome = on_refusal(self, record, mode, refusal);
      if (outcome != Outcome::Again) end_request(self);
      return outcome;
    }
  } catch (...) {
    end_request(self);
    throw;
  }
  end_request(self);
  if (answer == Request::Held) return Outcome::Held;
  if (answer == Request::Raised) return Outcome::Raised;
  return register_access(self, record, object);
}

void suspend_quick_access(Descriptor& self) {
  self.usual = false;
  self.written_pattern.set(Record::kNoPattern);
}

void resume_quick_access(Descriptor& self) {
  set_exclusive(self, self.exclusive);
  if (self.state().state() == State::Active || self.state().state() == State::Irrevocable)
    show_patterns(self);
}

Outcome access_while_unwinding(Descriptor& self, Record& record, void* object, Mode mode) {
  self.accesses.reserve();
  Refusal refusal;
  switch (record.request(self, mode, refusal)) {
    case Request::Held:
      return Outcome::Held;
    case Request::Raised:
      return Outcome::Raised;
    case Request::Granted:
      return register_access(self, record, object);
    case Request::Refused:
      break;
  }
  return Outcome::Aborted;
}

bool must_log_again(Descriptor& self, const Record& record) {
  if (self.depth == 0) return false;
  const Record*& place = self.logged_in_savepoint[reinterpret_cast<std::uintptr_t>(&record) / sizeof(Record) %
                                                  self.logged_in_savepoint.size()];
  if (place == &record) return false;
  const bool logged = self.displaced_in_savepoint.contains(record);
  if (place) {
    try {
      self.displaced_in_savepoint.insert(*place);
    } catch (const std::bad_alloc&) {
    }
  }
  place = &record;
  return !logged;
}

bool doom(Descriptor& self) {
  bool done = false;
  std::uint64_t status = self.status.load();
  for (State state = Status{status}.state(); state == State::Active || state == State::Irrevocable;
       state = Status{status}.state()) {
    done = self.status.compare_exchange(status, Status::of(Status{status}.generation(), State::Doomed).bits);
    if (done) break;
  }
  hide_patterns(self);
  return done;
}

void revert(Descriptor& self) {
  self.log.backwards(self.first_entry.get(), undo);
  schedule(Step::Undone);
  end_attempt(self, false);
}

Wait wait_for_blocker(Descriptor& self) {
  const Blocker blocker = std::exchange(self.blocker, {});
  if (meets_contention(self)) back_off(self);
  if (!blocker || ends_while_spinning(self, blocker.attempt)) return Wait::Ended;
  const ShowAwaiting shown(self, blocker.attempt, blocker.at);
  return wait_for_end(self, blocker.attempt, false);
}

bool commit(Descriptor& self) {
  std::uint64_t status = self.status.load();
  const State state = Status{status}.state();
  if (state != State::Active && state != State::Irrevocable) [[unlikely]]
    return false;
  const std::uint64_t committed = Status::of(Status{status}.generation(), State::Committed).bits;
  if (!self.status.compare_exchange(status, committed)) [[unlikely]]
    return false;
  schedule(Step::Committing);
  finish_commit(self);
  return true;
}

void finish_commit(Descriptor& self) {
  self.counters.add(Counter::Committed);
  apply_effects(self);
  end_attempt(self, true);
}

void hide_from_inline_checks(Descriptor& self) {
  hide_patterns(self);
  self.usual = false;
}

void show_to_inline_checks(Descriptor& self) {
  set_exclusive(self, self.exclusive);
  if (self.state().state() != State::Doomed) show_patterns(self);
}

Savepoint open_savepoint(Descriptor& self) {
  ++self.depth;
  self.written_pattern.set(Record::kNoPattern);
  if (may_have_to_raise(self)) self.held_pattern.set(Record::kNoPattern);
  forget_logged(self);
  return {self.log.position(), self.effects.position()};
}

void close_savepoint(Descriptor& self) {
  // What was logged in it is as good for the savepoint around it.
  --self.depth;
  if (self.state().state() == State::Active || self.state().state() == State::Irrevocable)
    show_patterns(self);
}

void revert_savepoint(Descriptor& self, const Savepoint& savepoint) {
  self.log.backwards(savepoint.log, undo);
  revert_effects(self, savepoint.effects);
  // The pairs stay registered, so those that came to be written in the savepoint keep the entry that says
  // what was there before: a later write to a pair that is held for writing relies on it.
  self.log.forwards(savepoint.log, [](LogEntry& entry) {
    const bool keep = (entry.flags.get() & LogEntry::kFirst) != 0;
    if (keep && entry.old_value.get()) host.retain(entry.old_value.get());
    entry.flags.set_release(keep ? LogEntry::kFirst : LogEntry::kVoid);
  });
  self.counters.add(Counter::NestedReverts);
  close_savepoint(self);
  forget_logged(self);
  // Nobody else ever saw these values. What their finalisers do belongs to the transaction: what it logs goes
  // on top.
  self.log.forwards(savepoint.log, [](LogEntry& entry) {
    void* reference = entry.thrown_away.get();
    entry.thrown_away.set(nullptr);
    if (reference) host.release(reference);
  });
  self.effects.forwards(savepoint.effects, [](PendingEffect& pending) {
    void* reference = pending.reference.get();
    pending.reference.set(nullptr);
    if (reference) host.release(reference);
  });
  while (const LogEntry* last = self.log.last_since(savepoint.log)) {
    if (!(last->flags.get() & LogEntry::kVoid)) break;
    self.log.pop();
  }
  while (const PendingEffect* last = self.effects.last_since(savepoint.effects)) {
    if (last->effect.get()) break;
    self.effects.pop();
  }
  ++self.effect_reverts;  // a finaliser may have looked at them up to the place that is gone now
}

}  // namespace stmpy::core
