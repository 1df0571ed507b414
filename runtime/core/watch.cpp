#include "runtime/core/watch.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>

#include "runtime/core/host.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {
namespace {

struct Bucket {
  SpinLock lock;
  Watcher* first = nullptr;
};
constexpr int kTableBits = 14;
std::array<Bucket, std::size_t{1} << kTableBits> table;

Bucket& bucket_of(const Record& record) {
  const std::uint64_t hash = reinterpret_cast<std::uintptr_t>(&record) / sizeof(Record) * 0x9E3779B97F4A7C15u;
  return table[hash >> (64 - kTableBits)];
}

void enter(Watcher& watcher) {
  Bucket& bucket = bucket_of(*watcher.record);
  const std::lock_guard guard(bucket.lock);
  watcher.next = bucket.first;
  watcher.place = &bucket.first;
  if (watcher.next) watcher.next->place = &watcher.next;
  bucket.first = &watcher;
}

void leave(Watcher& watcher) {
  const std::lock_guard guard(bucket_of(*watcher.record).lock);
  *watcher.place = watcher.next;
  if (watcher.next) watcher.next->place = watcher.place;
}

// What an attempt has done to the pairs that it has written and others watch.
class Changes {
 public:
  explicit Changes(Descriptor& self) {
    try {
      self.log.forwards(self.first_entry.get(), [&](LogEntry& entry) { note(entry); });
    } catch (const std::bad_alloc&) {
      complete_ = false;
    }
  }

  // False only where it is certain that the value is the one from before.
  bool of(const Record& record) const {
    const auto found = pairs_.find(&record);
    return !complete_ || found == pairs_.end() || found->second.changed;
  }

 private:
  struct Pair {
    const Slot* slot;
    bool changed;
  };

  void note(const LogEntry& entry) {
    if ((entry.flags.get() & LogEntry::kVoid) || !entry.record.get()->is_watched()) return;
    // The oldest entry has the value from before. A pair with several slots is an object's structure.
    const Slot* slot = entry.slot.get();
    const auto [place, is_first] = pairs_.try_emplace(entry.record.get(), Pair{slot, true});
    Pair& pair = place->second;
    if (is_first) pair.changed = !slot || is_changed(slot->load(std::memory_order_relaxed), entry);
    if (pair.slot != slot) pair.changed = true;
  }
  static bool is_changed(void* value, const LogEntry& entry) {
    return value != entry.old_value.get() || (value && !host.is_constant(value));
  }

  std::unordered_map<const Record*, Pair> pairs_;
  bool complete_ = true;
};

}  // namespace

Watch::Watch(Descriptor& self, std::uint64_t turn) : self_(self), turn_(turn) {
  for_each_pair(self, [&](Record& record, void* object) {
    watchers_.push_back({&record, object, this, nullptr, nullptr});
    objects_.push_back(object);
  });
  std::sort(objects_.begin(), objects_.end());
  objects_.erase(std::unique(objects_.begin(), objects_.end()), objects_.end());
  for (void* object : objects_) host.retain(object);
  for (Watcher& watcher : watchers_) {
    enter(watcher);
    watcher.record->set_watched();
  }
  next_ = self.watch;
  place_ = &self.watch;
  if (next_) next_->place_ = &next_;
  self.watch = this;
  schedule(Step::Watching);
}

Watch::~Watch() {
  for (Watcher& watcher : watchers_) leave(watcher);
  *place_ = next_;
  if (next_) next_->place_ = place_;
  for (void* object : objects_) host.release(object);
}

Watch::Woken Watch::wait(Clock::time_point deadline) {
  // Only a thread that runs signal handlers has to look for them: a thousand that do not would do nothing but
  // look.
  const bool looks = host.handles_signals();
  for (bool slept = false;; slept = true) {
    // A signal handler may run transactions on this thread, which wait on the same parker.
    if (slept && looks && host.interrupted()) return Woken::Interrupted;
    self_.parker.reset();
    if (woken_.load(kAcquire)) return Woken::Changed;
    const Clock::time_point now = Clock::now();
    if (now >= deadline) return Woken::TimedOut;
    if (host.is_alone()) return Woken::Alone;
    schedule(Step::Parking);
    void* token = host.detach();
    self_.parker.park(looks ? std::min(deadline, now + signal_period) : deadline);
    host.attach(token);
  }
}

std::uint64_t draw_turn() {
  static std::atomic<std::uint64_t> turns{0};
  return turns.fetch_add(1, std::memory_order_relaxed) + 1;
}

void note_watchers(Descriptor& self, const Record& record) {
  schedule(Step::Taken);
  Bucket& bucket = bucket_of(record);
  const std::lock_guard guard(bucket.lock);
  for (Watcher* watcher = bucket.first; watcher; watcher = watcher->next) {
    if (watcher->record != &record) continue;
    Watch& watch = *watcher->watch;
    if (watch.woken_.exchange(true, std::memory_order_acq_rel))
      continue;  // by another change: once is enough
    // The descriptor, because the watch may be gone when its turn comes.
    try {
      self.to_wake.push_back({watch.turn_, &watch.self_});
    } catch (const std::bad_alloc&) {
      watch.self_.parker.unpark();
    }
  }
}

void wake_noted(Descriptor& self) {
  std::sort(self.to_wake.begin(), self.to_wake.end(),
            [](const Sleeper& a, const Sleeper& b) { return a.turn < b.turn; });
  for (const Sleeper& sleeper : self.to_wake) {
    schedule(Step::Waking);
    sleeper.descriptor->parker.unpark();
  }
  self.to_wake.clear();
}

void release_rest(Descriptor& self, bool committed) {
  std::optional<Changes> of_watched;
  for_each_pair(self, [&](Record& record, void*) {
    bool changed = committed && changes(record.held_by(self));
    if (changed && record.is_watched()) {
      if (!of_watched) of_watched.emplace(self);
      changed = of_watched->of(record);
    }
    if (record.release(self, changed)) note_watchers(self, record);
  });
}

Watch* reset_watchers_after_fork(Descriptor* survivor) {
  for (Bucket& bucket : table) {
    bucket.lock.unlock();
    bucket.first = nullptr;
  }
  Watch* left_behind = nullptr;
  for (Descriptor* descriptor : all_descriptors()) {
    if (descriptor == survivor) continue;
    for (Watch* watch = std::exchange(descriptor->watch, nullptr); watch;) {
      Watch* const next = std::exchange(watch->next_, left_behind);
      left_behind = std::exchange(watch, next);
    }
  }
  for (Watch* watch = survivor ? survivor->watch : nullptr; watch; watch = watch->next_) {
    for (Watcher& watcher : watch->watchers_) enter(watcher);
    watch->woken_.store(true);  // whoever was about to wake it is gone: it looks for itself
  }
  return left_behind;
}

void release_left_behind(Watch* first) {
  for (const Watch* watch = first; watch; watch = watch->next_) {
    for (void* object : watch->objects_) host.release(object);
  }
}

}  // namespace stmpy::core
