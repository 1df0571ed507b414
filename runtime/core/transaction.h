// The life of a transaction, in its order (design, section 2): begin, access, write, abort, commit; around
// them savepoints. Eager (encounter-time) ownership, in-place update, undo log, visible readers: TLRW's
// byte-lock (Dice & Shavit, SPAA 2010).
//
// All of it is called by the thread that owns the descriptor, between begin() and end() unless said
// otherwise. Nothing but what says so runs code of the user's.
#pragma once

#include "runtime/core/descriptor.h"

namespace stmpy::core {

enum class Outcome : std::uint8_t {
  Held,             // was held already in a mode that covers the request
  Raised,           // was held in a weaker mode: a first write has to log the old value now
  Registered,       // newly held: the caller counts one reference to the object for the attempt
  RegisteredAgain,  // newly held, and the entry before it holds the reference
  Again,            // waited in place: the caller starts its barrier over
  Aborted,          // doomed: the caller raises AbortTransaction
  Interrupted,      // a signal handler raised, or the deadline passed, while it waited: the exception is the
                    // caller's
  TimedOut,
};

// 1. Begin. IDLE -> ACTIVE, an empty log, no accesses. `exclusive`: reads="exclusive".
void begin(Descriptor& self, bool exclusive = false);

// 2. Access. Registers (object, record) in `mode`, or says why not. std::bad_alloc with nothing changed.
Outcome access(Descriptor& self, Record& record, void* object, Mode mode);
// reads="exclusive" from here on, or no longer.
inline void set_exclusive(Descriptor& self, bool exclusive) {
  self.exclusive = exclusive;
  self.usual = !exclusive && self.promoted.empty();
}
// The mode to ask for where an access of mode `wanted` is made: Exclusive under reads="exclusive", Write
// where an upgrade of the pair has failed in an earlier attempt of this call. A read that gets a writing mode
// logs as a write does.
inline Mode mode_for(const Descriptor& self, const Record& record, Mode wanted) {
  if (self.usual) return wanted;
  if (self.exclusive) return Mode::Exclusive;
  return self.promoted.contains(record) ? Mode::Write : wanted;
}
// For a barrier that was told to start over and raises instead: it does not make its request any more.
inline void drop_claim(Descriptor& self) {
  if (self.claimed) self.claimed->clear_claim(self);
}
// While the own AbortTransaction is being handled: Held or granted if free at once, else Aborted; never
// waits.
Outcome access_while_unwinding(Descriptor& self, Record& record, void* object, Mode mode);

// Between the two (unrecorded reads), inline checks find what is held, to be read, and nothing else: all
// other accesses take the whole way.
void suspend_quick_access(Descriptor& self);
void resume_quick_access(Descriptor& self);

// An object that the attempt makes, before anybody else can see it: with room made for it (std::bad_alloc),
// its records are born with these bits. Takes over a reference.
inline std::uint64_t bits_of_made(const Descriptor& self) { return Record::private_bits(self.thin_id); }
inline bool can_make(const Descriptor& self) { return self.thin_id != 0; }
inline void reserve_made(Descriptor& self) { self.made.reserve(); }
inline void note_made(Descriptor& self, void* object, Record& structure, Record* first, std::uint32_t count) {
  self.made.push(object, &structure, first, count);
}

// 3. Write. Makes room first (std::bad_alloc), then cannot fail: log the old value, then change the slot.
inline void reserve_entry(Descriptor& self) { self.log.reserve(); }
// `old_value` is a reference that the log takes over. `first`: ownership for writing was acquired for this
// write.
[[gnu::always_inline]] inline void log_slot(Descriptor& self, Record& record, void* object, Slot& slot,
                                            void* old_value, bool first) {
  self.log.push(&record, object, &slot, old_value, nullptr, first ? LogEntry::kFirst : std::uint8_t{0});
}
// The same for a change that is no slot's.
inline void log_change(Descriptor& self, Record& record, void* object, const Change& change, void* old_value,
                       bool first) {
  self.log.push(&record, object, nullptr, old_value, &change, first ? LogEntry::kFirst : std::uint8_t{0});
}
// Of an object of which a pair is registered: applied if the attempt commits, forgotten if it or the
// savepoint it is in is reverted. Takes over the reference. std::bad_alloc with nothing changed.
inline void defer(Descriptor& self, const Effect& effect, void* object, void* reference,
                  std::int64_t amount) {
  self.effects.reserve();
  self.effects.push(&effect, object, reference, amount);
}
// Whether a pair that is held for writing has to be logged again, because a savepoint was opened since.
bool must_log_again(Descriptor& self, const Record& record);

// 4. Abort. ACTIVE -> DOOMED: from here on every barrier raises. False: it was doomed already.
bool doom(Descriptor& self);
// Replays the log, releases everything, ends the attempt, wakes who waits for it. Runs no code of the user's.
void revert(Descriptor& self);
// After the revert, holding nothing: until the attempt that was in the way has ended.
Wait wait_for_blocker(Descriptor& self);

// 5. Commit. ACTIVE -> COMMITTED; releases everything, ends the attempt, wakes who waits for it. False:
// doomed; nothing is changed.
bool commit(Descriptor& self);
// Its second half, behind the commit point.
void finish_commit(Descriptor& self);

// Behind the end of an attempt (revert or commit): gives back the references of its log and accesses, newest
// first. Any code may run, and may begin other attempts, which put their entries on top and have taken them
// away when they are done.
template <class Release>
void release_references(Descriptor& self, Release release) {
  const auto log = self.first_entry.get();
  const auto accesses = self.first_access.get();
  const auto effects = self.first_effect;
  const auto made = self.first_made.get();
  if (self.log.empty_since(log) && self.accesses.empty_since(accesses) && self.made.empty_since(made)) return;
  const bool at_once = nobody_observes();
  const Blocker blocker = self.blocker;  // those other attempts have blockers of their own
  const auto let_go = [&](void* reference) {
    if (reference) at_once ? release(reference) : reclaim_reference(reference);
  };
  self.effects.drain(effects, [&](const PendingEffect& pending) { let_go(pending.reference.get()); });
  self.log.drain(log, [&](const LogEntry& entry) { let_go(entry.discarded()); });
  self.accesses.drain(accesses, [&](const Access& access) {
    if (access.counted()) let_go(access.object());
  });
  self.made.drain(made, [&](const Made& object) { let_go(object.object.get()); });
  self.blocker = blocker;
  if (self.accesses.empty() && self.made.empty()) {  // no attempt of a finaliser's within a larger one
    self.effects.trim();
    self.log.trim();
    self.accesses.trim();
    self.made.trim();
  }
  if (!at_once)
    Observer::empty_limbo();  // whoever observed may have looked there before us, and have found it empty
}

// Savepoints (protocol, section 8): they revert values, never registrations.
struct Savepoint {
  AppendLog<LogEntry>::Position log;
  AppendLog<PendingEffect>::Position effects;
};
Savepoint open_savepoint(Descriptor& self);
void close_savepoint(Descriptor& self);
// Also closes it. Any code may run at its end (values that nobody holds any more).
void revert_savepoint(Descriptor& self, const Savepoint& savepoint);

// Between a retry inside of an alternative and the alternative's end every barrier takes the whole way.
void hide_from_inline_checks(Descriptor& self);
void show_to_inline_checks(Descriptor& self);

// Registers a pair that the attempt holds now. RegisteredAgain: the entry before it has a reference to the
// object.
[[gnu::always_inline]] inline Outcome register_access(Descriptor& self, Record& record, void* object) {
  const auto address = reinterpret_cast<std::uintptr_t>(object);
  const Access* last = self.accesses.last_since(self.first_access.get());
  const bool again = last && last->object() == object;
  self.accesses.push(&record, address | (again ? 1u : 0u));
  return again ? Outcome::RegisteredAgain : Outcome::Registered;
}

// Inline, because a barrier is little more than this. Where nothing is in the way, and room for what follows:
// the common cases of access(), for a mode that mode_for() leaves as it is. False: take the whole way.
[[gnu::always_inline]] inline bool may_be_quick(const Descriptor& self) {
  return self.usual && !self.claimed && self.accesses.has_room() && self.state().state() == State::Active;
}
[[gnu::always_inline]] inline bool read_quickly(Descriptor& self, Record& record, void* object,
                                                Outcome& outcome) {
  if (!may_be_quick(self) || !record.take_if_free(self.thin_id, Mode::Read)) [[unlikely]]
    return false;
  outcome = register_access(self, record, object);
  return true;
}
// Outside of savepoints only; with room in the log.
[[gnu::always_inline]] inline bool write_quickly(Descriptor& self, Record& record, void* object,
                                                 Outcome& outcome) {
  if (self.written_pattern.get() == Record::kNoPattern || !may_be_quick(self) || !self.log.has_room())
      [[unlikely]]
    return false;
  if (record.take_if_free(self.thin_id, Mode::Write)) [[likely]] {
    outcome = register_access(self, record, object);
    return true;
  }
  outcome = Outcome::Raised;
  return record.raise_if_alone(self.thin_id);
}
inline bool holds(const Descriptor& self, const Record& record) {
  return (record.bits() & Record::kMaskHeld) == self.held_pattern.get();
}
inline bool holds_logged(const Descriptor& self, const Record& record) {
  return (record.bits() & Record::kMaskWritten) == self.written_pattern.get();
}

}  // namespace stmpy::core
