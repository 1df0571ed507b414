#include "runtime/core/outside.h"

#include <new>

#include "runtime/core/host.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

// The oldest entry of the pair in the log of an attempt, null if there is none. Entries of reverted savepoints may be
// overwritten under our eyes, but not those that were logged first: once a pair is logged, the oldest stays. The order of
// the loads (record, flags, value) is the order of the stores of a push.
const LogEntry* oldest_entry(const Descriptor& owner, const Record& record, const Slot& slot) {
  const LogEntry* found = nullptr;
  owner.log.observe(owner.first_entry.get(), [&](const LogEntry& entry) {
    if (entry.record.get_acquire() == &record && entry.slot.get() == &slot &&
        !(entry.flags.get_acquire() & LogEntry::kVoid)) found = &entry;
    return found == nullptr;
  });
  return found;
}

}  // namespace

void* committed_value(const Observer&, const Record& record, const Slot& slot) {
  for (;;) {
    const Record::View before = record.view();
    if (!before.writer) {
      void* value = slot.load(kAcquire);
      schedule(Step::Peeked);
      if (record.view() == before) return value;
      continue;
    }
    const Status status = before.writer->state();
    if (!status.in_progress()) {  // it has just ended, or is about to begin: its hold on the record is gone in a moment
      pause();
      continue;
    }
    if (status.state() == State::Committed) {
      void* value = slot.load(kAcquire);
      schedule(Step::Peeked);
      if (record.view() == before) return value;
      continue;
    }
    // The owner logs before it changes: a value that was read while the log has no entry was the committed one.
    const LogEntry* entry = oldest_entry(*before.writer, record, slot);
    if (!entry) schedule(Step::Looked);
    void* value = entry ? entry->old_value.get() : slot.load(kAcquire);
    schedule(Step::Peeked);
    if (!entry && (entry = oldest_entry(*before.writer, record, slot))) value = entry->old_value.get();
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
        // Alive, even where the attempt ends just now: its references go to limbo while we observe.
        Record* record = access.record.get_acquire();
        const Mode mode = record->held_by(*descriptor);
        if (mode != Mode::None) seen.pairs.push_back({record, access.object(), mode});
        return descriptor->state().generation() == before.generation();
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
  const std::vector<Descriptor*> descriptors = all_descriptors();
  for (Descriptor* descriptor : descriptors) {
    new (&descriptor->parker) Parker;
    new (&descriptor->waiters_mutex) std::mutex;
    descriptor->first_waiter = nullptr;
    descriptor->waiting_for_it = 0;
  }
  for (Descriptor* descriptor : descriptors) {
    if (descriptor == survivor || !descriptor->state().in_progress()) continue;
    if (descriptor->state().state() == State::Committed) {
      finish_commit(*descriptor);
    } else {
      doom(*descriptor);
      revert(*descriptor);
    }
    release_references(*descriptor, host.release);
  }
}

}  // namespace stmpy::core
