// One descriptor per thread that runs transactions, pooled and never freed, so that a stale look at one is
// harmless.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/core/append_log.h"
#include "runtime/core/ownership.h"
#include "runtime/core/parking.h"
#include "runtime/core/record_set.h"
#include "runtime/core/statistics.h"
#include "runtime/core/status.h"

namespace stmpy::core {

// A pair that an attempt has registered. `owner` is the object; its lowest bit says that the reference
// belongs to the entry before it, of the same object.
struct Access {
  Shown<Record*> record;
  Shown<std::uintptr_t> owner;

  [[gnu::always_inline]] void set(Record* its_record, std::uintptr_t its_owner) {
    record.set_release(its_record);
    owner.set_release(its_owner);
  }
  void* object() const { return reinterpret_cast<void*>(owner.get() & ~std::uintptr_t{1}); }
  bool counted() const { return (owner.get() & 1) == 0; }
};

// An object that an attempt has made (protocol, section 7): its records are born held in mode Private, are in
// no Access, and what is written to them is logged for savepoints only.
struct Made {
  Shown<void*> object;       // a reference
  Shown<Record*> structure;  // a record by itself
  Shown<Record*> first;      // and others, at equal distances
  Shown<std::uint32_t> count;

  [[gnu::always_inline]] void set(void* its_object, Record* its_structure, Record* its_first,
                                  std::uint32_t its_count) {
    object.set_release(its_object);
    structure.set_release(its_structure);
    first.set_release(its_first);
    count.set_release(its_count);
  }

  static constexpr std::size_t kDistance = 2;  // in records: value and record stand side by side
  // Looks at no record, so others may ask.
  bool has(const Record* record) const {
    if (structure.get_acquire() == record) return true;
    const Record* its = first.get_acquire();
    for (std::uint32_t left = count.get_acquire(); left != 0; --left, its += kDistance) {
      if (its == record) return true;
    }
    return false;
  }
  template <class Visit>
  void for_each_record(Visit visit) const {
    visit(*structure.get());
    Record* record = first.get();
    for (std::uint32_t left = count.get(); left != 0; --left, record += kDistance) visit(*record);
  }
};

using Slot = std::atomic<void*>;

// How a logged change is taken back where that is not the restoring of a slot: `restore` may not fail, nor
// run code of the user's.
struct Change {
  // Puts `old_value` back and returns the reference that took its place.
  void* (*restore)(void* object, void* old_value);
};

// A change of this attempt.
struct LogEntry {
  Shown<Record*> record;
  Shown<void*> object;     // borrowed: the access holds the reference
  Shown<Slot*> slot;       // null where a Change says how to take it back
  Shown<void*> old_value;  // a reference (borrowed once undone), or null for an attribute that did not exist
  Shown<const Change*> change;
  Shown<void*> thrown_away;  // the reference that the replay took out of its place
  Shown<std::uint8_t> flags;

  static constexpr std::uint8_t kFirst =
      1;  // logged when write ownership was acquired: survives a savepoint's revert
  static constexpr std::uint8_t kUndone = 2;  // replayed: old_value is back in its place
  static constexpr std::uint8_t kVoid =
      4;  // of a reverted savepoint: says nothing and holds nothing any more

  // The record first and the flags last: who observes takes no half of one entry and half of another for its
  // own (outside.cpp).
  [[gnu::always_inline]] void set(Record* its_record, void* its_object, Slot* its_slot, void* its_old_value,
                                  const Change* its_change, std::uint8_t its_flags) {
    record.set_release(its_record);
    object.set_release(its_object);
    slot.set_release(its_slot);
    old_value.set_release(its_old_value);
    change.set_release(its_change);
    thrown_away.set_release(nullptr);
    flags.set_release(its_flags);
  }

  // The reference that the entry holds and nobody needs any more.
  void* discarded() const {
    if (flags.get() & kVoid) return nullptr;
    return flags.get() & kUndone ? thrown_away.get() : old_value.get();
  }
};

// What is done at the commit and not before (protocol, section 6: stamp): additions that commute with those
// of others, places in the order of commits.
struct Effect {
  // Behind the commit point, before anything is released. May not fail, wait, nor run code of the user's;
  // other threads may apply theirs to the same object at the same time. `stamp` is larger than that of every
  // commit this attempt had to wait for.
  void (*apply)(void* object, void* reference, std::int64_t amount, std::uint64_t stamp);
  // False: `stamp` is 0. Drawing one is what commits that have nothing else in common would contend for.
  bool needs_stamp = true;
};

struct PendingEffect {
  Shown<const Effect*> effect;  // null: of a reverted savepoint, or applied
  Shown<void*> object;          // borrowed: the attempt has a pair of it registered
  Shown<void*> reference;       // a reference, or null
  Shown<std::int64_t> amount;

  [[gnu::always_inline]] void set(const Effect* its_effect, void* its_object, void* its_reference,
                                  std::int64_t its_amount) {
    effect.set_release(its_effect);
    object.set_release(its_object);
    reference.set_release(its_reference);
    amount.set_release(its_amount);
  }
};

// Lives on the stack of the thread that sleeps.
struct Waiter {
  Parker* parker;
  Waiter* next;
  Waiter** place;  // what points to this one
};

// Somebody who waits in retry() and is to be woken.
struct Sleeper {
  std::uint64_t turn;
  Descriptor* descriptor;
};

class Watch;

// A wait that goes on.
struct Awaiting {
  std::uint64_t number = 0;  // from 1; no two waits of a descriptor have the same one
  Clock::time_point since;
  Attempt whom;                // not in progress, where it waits for a call that is between two attempts
  const Record* at = nullptr;  // where it met it: to be compared, not looked at; null: it wants the token
};

// For who looks on (waits.h).
class ShownAwaiting {
 public:
  // The owner's.
  void set(const Awaiting& awaiting) {
    const std::uint64_t changing = version_.get() | 1;
    version_.set(changing);
    number_.set_release(awaiting.number);
    since_.set_release(awaiting.since);
    whom_.set_release(awaiting.whom.descriptor);
    generation_.set_release(awaiting.whom.generation);
    at_.set_release(awaiting.at);
    version_.set_release(changing + 1);
  }
  // By any thread: as of one instant. The number 0: there is none, or it is just changing.
  Awaiting get() const {
    const std::uint64_t version = version_.get_acquire();
    const Awaiting awaiting{number_.get_acquire(),
                            since_.get_acquire(),
                            {whom_.get_acquire(), generation_.get_acquire()},
                            at_.get_acquire()};
    return version_.get() == version && (version & 1) == 0 ? awaiting : Awaiting{};
  }

 private:
  Shown<std::uint64_t> version_;  // odd while the rest changes
  Shown<std::uint64_t> number_;
  Shown<Clock::time_point> since_;
  Shown<Descriptor*> whom_;
  Shown<std::uint64_t> generation_;
  Shown<const Record*> at_;
};

// Whom an attempt has given up for, and where.
struct Blocker {
  Attempt attempt;
  const Record* at = nullptr;
  explicit operator bool() const { return static_cast<bool>(attempt); }
  bool operator==(const Blocker&) const = default;
};

class Descriptor {
 public:
  // --- for the descriptor's life
  const std::uint32_t id;        // from 1
  const std::uint32_t thin_id;   // id, or 0 where it does not fit into a thin record
  Shown<Descriptor*> following;  // the one that was made next

  // --- what other threads act on
  alignas(64) Word status;
  std::atomic<std::uint64_t> age{0};  // of the call: 0 = none yet, else smaller is older
  std::atomic<std::uint32_t> waiting_for_it{0};
  std::mutex waiters_mutex;
  Waiter* first_waiter = nullptr;      // who sleeps until the current attempt has ended
  Shown<const Descriptor*> spins_for;  // whose end it spins for right now
  Parker parker;
  ShownAwaiting awaiting;

  // --- for one attempt; written by the owner only. The two patterns are what inline checks compare a record
  // with: kNoPattern outside of an attempt, when doomed (also by another thread), and `written` also inside
  // of a savepoint, where a held pair may have to be logged again.
  alignas(64) Shown<std::uint64_t> held_pattern{Record::kNoPattern};
  Shown<std::uint64_t> written_pattern{Record::kNoPattern};
  std::uint32_t depth = 0;  // savepoints that are open
  bool exclusive = false;   // reads="exclusive" from here on
  bool usual = true;  // no reason to take another mode than the one that is asked for (mode_for), nor to
                      // ask at all
  AppendLog<Access> accesses;
  AppendLog<LogEntry> log;
  AppendLog<PendingEffect> effects;
  AppendLog<Made> made;
  // Where this attempt's entries begin; what is before them belongs to attempts that have ended and whose
  // references are being released right now (a finaliser began this one).
  AppendLog<Access>::SharedPosition first_access;
  AppendLog<LogEntry>::SharedPosition first_entry;
  AppendLog<PendingEffect>::Position first_effect;
  AppendLog<Made>::SharedPosition first_made;
  std::uint64_t effect_reverts = 0;  // grows when some of the effects go: what was made of them is stale
  // Pairs logged since the newest savepoint: direct-mapped, and what had to give up its place there. The
  // second may lack one for want of memory, which is logged again then.
  std::array<const Record*, 64> logged_in_savepoint{};
  RecordSet displaced_in_savepoint;
  Record* claimed = nullptr;  // the one pending claim it has set
  Blocker blocker;            // the wrapper waits for its end after the revert

  // --- for one call (the attempts of one outermost transaction)
  Clock::time_point deadline = kNoDeadline;
  RecordSet promoted;            // pairs on which an upgrade failed: taken in write mode at the first touch
  std::uint32_t refusals = 0;    // of the request that is being made
  std::uint32_t lost_races = 0;  // ... behind which it found the pair free for a moment

  bool has_token = false;  // its attempt is irrevocable, or is about to begin so

  // --- for the thread
  Clock::time_point last_conflict;
  Counters counters;
  std::uint64_t waits_shown = 0;
  Watch* watch = nullptr;        // its waits in retry(), the newest first: signal handlers may begin others
  std::vector<Sleeper> to_wake;  // by the commit that is being made

  Status state() const { return Status{status.load()}; }
  Attempt current() const { return {const_cast<Descriptor*>(this), state().generation()}; }
  explicit Descriptor(std::uint32_t number);
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

// True while that attempt has not ended.
inline bool in_progress(const Attempt& attempt) {
  const Status now = attempt.descriptor->state();
  return now.generation() == attempt.generation && now.in_progress();
}
// Also no object of its own making that others might wait for.
inline bool holds_nothing(const Descriptor& self) {
  return self.accesses.empty_since(self.first_access.get()) && self.made.empty_since(self.first_made.get());
}
// `visit(record, object)` for each pair that the attempt has, in the order in which it came to have them;
// then for those of the objects that it has made.
template <class Visit>
void for_each_pair(Descriptor& self, Visit visit) {
  self.accesses.forwards(self.first_access.get(),
                         [&](const Access& access) { visit(*access.record.get(), access.object()); });
  self.made.forwards(self.first_made.get(), [&](const Made& made) {
    made.for_each_record([&](Record& record) { visit(record, made.object.get()); });
  });
}
// From here on inline checks answer nothing. Late, for the next attempt, it makes that one slower and no
// more.
inline void hide_patterns(Descriptor& of) {
  of.held_pattern.set(Record::kNoPattern);
  of.written_pattern.set(Record::kNoPattern);
}
// Older calls go first; calls without an age are younger than all.
bool older(const Descriptor& a, const Descriptor& b);
void draw_age(Descriptor& self);
// For the effects of one commit: larger than all that were drawn before.
std::uint64_t draw_stamp();

// The registry. `adopt` gives the calling thread a descriptor (std::bad_alloc), `retire` returns it at the
// thread's end.
Descriptor& adopt_descriptor();
void retire_descriptor(Descriptor& descriptor);
Descriptor* descriptor_with_thin_id(std::uint64_t thin_id);
// All there are, the one that was made first in front; those of ended threads are among them. Walked without
// a lock, while others may be made.
class AllDescriptors {
 public:
  class Iterator {
   public:
    explicit Iterator(Descriptor* at) : at_(at) {}
    Descriptor* operator*() const { return at_; }
    Iterator& operator++() {
      at_ = at_->following.get_acquire();
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Descriptor* at_;
  };
  Iterator begin() const;
  Iterator end() const { return Iterator(nullptr); }
};
inline AllDescriptors all_descriptors() { return {}; }
// In the child after a fork: the registry's locks anew.
void reset_registry_after_fork();
// ... and every descriptor but the survivor's waits for its next thread.
void retire_descriptors_of_others(const Descriptor* survivor);

}  // namespace stmpy::core
