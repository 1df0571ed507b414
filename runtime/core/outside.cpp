#include "runtime/core/outside.h"

#include <new>

#include "runtime/core/host.h"
#include "runtime/core/irrevocable.h"
#include "runtime/core/schedule.h"
#include "runtime/core/watch.h"

namespace stmpy::core {
namespace {

// Entries of reverted savepoints may be overwritten under our eyes. The order of the loads (record, flags,
// value, and the first two again) is the reverse of the stores of a push, so that a value is never taken for
// another pair's.
bool is_of(const LogEntry& entry, const Record& record, const Slot& slot) {
  return entry.record.get_acquire() == &record && entry.slot.get_acquire() == &slot &&
         !(entry.flags.get_acquire() & LogEntry::kVoid);
}

// The value before the attempt: that of the oldest entry of the pair. False where its log has none.
bool find_pre_image(const Descriptor& owner, const Record& record, const Slot& slot, void*& value) {
  bool found = false;
  owner.log.observe(owner.first_entry.get(), [&](const LogEntry& entry) {
    if (!is_of(entry, record, slot)) return true;
    void* const old_value = entry.old_value.get_acquire();
    found = is_of(entry, record, slot);
    if (found) value = old_value;
    return !found;
  });
  return found;
}

// Of a thread that will never run again, wherever it was. Runs no code.
void finish_attempt(Descriptor& gone) {
  forget_age(gone);
  switch (gone.state().state()) {
    case State::Idle:
      give_back_token(gone);  // if it was taken, and not begun with
      break;
    case State::Committed:
      finish_commit(gone);
      break;
    default:
      doom(gone);
      revert(gone);
  }
  // It may have been letting go of what attempts before that one had held.
  gone.first_access.set(gone.accesses.start());
  gone.first_entry.set(gone.log.start());
  gone.first_effect = gone.effects.start();
  gone.first_made.set(gone.made.start());
}

void keep(std::vector<void*>& references, void* reference) {
  try {
    references.push_back(reference);
  } catch (const std::bad_alloc&) {  // it is never released: better than in the middle of this
  }
}

}  // namespace

void* committed_value(const Observer&, const Record& record, const Slot& slot) {
  for (;;) {
    const Record::View before = record.view();
    if (!before.writer) {
      schedule(Step::Looked);
      void* value = slot.load(kAcquire);
      schedule(Step::Peeked);
      if (record.view() == before) return value;
      continue;
    }
    const Status status = before.writer->state();
    if (!status.in_progress()) {  // it has just ended: its hold on the record is gone in a moment
      pause();
      continue;
    }
    if (status.state() == State::Committed) {
      schedule(Step::Looked);
      void* value = slot.load(kAcquire);
      schedule(Step::Peeked);
      if (record.view() == before) return value;
      continue;
    }
    // The owner logs before it changes: a value that was read while there is no entry was the committed one.
    // Of what it has made there is none.
    void* value = nullptr;
    const bool found = before.is_private || find_pre_image(*before.writer, record, slot, value);
    if (!found) {
      schedule(Step::Looked);
      value = slot.load(kAcquire);
    }
    schedule(Step::Peeked);
    if (!found) find_pre_image(*before.writer, record, slot, value);
    const Status now = before.writer->state();
    if (now.generation() == status.generation() && now.in_progress() && now.state() != State::Committed &&
        record.view() == before) {
      return value;
    }
  }
}

std::vector<Seen> transactions_in_progress(const Observer&) {
  std::vector<Seen> all;
  for (Descriptor* descriptor : all_descriptors()) {
    for (;;) {
      const Status before = descriptor->state();
      if (!before.in_progress()) break;
      Seen seen{{descriptor, before.generation()}, {}};
      descriptor->accesses.observe(descriptor->first_access.get(), [&](const Access& access) {
        Record* record = access.record.get_acquire();
        // Where it has ended, this may be what an attempt around it had (a finaliser began it), and be gone.
        // If not, it is alive, even where the attempt ends just now: its references go to limbo while we
        // observe.
        if (!in_progress(seen.attempt)) return false;
        const Mode mode = record->held_by(*descriptor);
        if (mode != Mode::None) seen.pairs.push_back({record, access.object(), mode});
        return true;
      });
      const Status now = descriptor->state();
      if (now.generation() != before.generation() || !now.in_progress()) continue;
      all.push_back(std::move(seen));
      break;
    }
  }
  return all;
}

void finish_attempts_after_fork(Descriptor* survivor) {
  reset_registry_after_fork();
  reset_observers_after_fork();
  reset_fat_records_after_fork();
  for (Descriptor* descriptor : all_descriptors()) {
    if (descriptor != survivor) descriptor->awaiting.set({});
    new (&descriptor->parker) Parker;
    new (&descriptor->waiters_mutex) std::mutex;
    descriptor->first_waiter = nullptr;
    descriptor->waiting_for_it = 0;
  }
  Watch* const of_others = reset_watchers_after_fork(survivor);
  finish_attempts_of_others(survivor);
  release_left_behind(of_others);
}

void finish_attempts_of_others(Descriptor* survivor) {
  std::vector<void*> held;
  for (Descriptor* descriptor : all_descriptors()) {
    if (descriptor == survivor) continue;
    finish_attempt(*descriptor);
    release_references(*descriptor, [&](void* reference) { keep(held, reference); });
  }
  for (void* reference : held) host.release(reference);
}

}  // namespace stmpy::core
