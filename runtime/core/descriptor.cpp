#include "runtime/core/descriptor.h"

#include <sched.h>

#include <algorithm>
#include <new>

#include "runtime/core/host.h"
#include "runtime/core/immortal.h"
#include "runtime/core/irrevocable.h"
#include "runtime/core/schedule.h"

namespace stmpy::core {

Host host{};

#if defined(STMPY_SCHEDULE) && STMPY_SCHEDULE
thread_local void (*schedule_hook)(Step) = nullptr;
std::chrono::milliseconds signal_period{50};
std::chrono::microseconds contention_period{0};
#endif

void SpinLock::yield_processor() { sched_yield(); }

namespace {

// All descriptors there ever were, in a list that is walked without the mutex; those without a thread wait
// for the next one, the smallest id first.
struct Registry {
  std::mutex mutex;
  Shown<Descriptor*> first;
  Shown<Descriptor*>* end = &first;
  std::uint32_t made = 0;
  std::vector<Descriptor*> unused;  // a heap; room for all of them is made in advance
  std::array<std::atomic<Descriptor*>, Record::kLargestThinId + 1> by_thin_id{};
  std::atomic<std::uint64_t> ages{kOldest};
  std::atomic<std::uint64_t> stamps{0};
};

Registry& registry() {
  static Immortal<Registry> the_registry;
  return the_registry.value;
}

bool has_larger_id(const Descriptor* a, const Descriptor* b) { return a->id > b->id; }

std::mutex reset_mutex;
Totals forgotten;

Totals sum() {
  Totals totals;
  for (const Descriptor* descriptor : all_descriptors()) {
    for (int counter = 0; counter < static_cast<int>(Counter::Count); ++counter) {
      totals.values[counter] += descriptor->counters.get(static_cast<Counter>(counter));
    }
    for (int peak = 0; peak < static_cast<int>(Peak::Count); ++peak) {
      totals.peaks[peak] = std::max(totals.peaks[peak], descriptor->counters.get(static_cast<Peak>(peak)));
    }
  }
  return totals;
}

}  // namespace

Descriptor::Descriptor(std::uint32_t number)
    : id(number), thin_id(number <= Record::kLargestThinId ? number : 0), first_effect(effects.position()) {
  first_access.set(accesses.position());
  first_entry.set(log.position());
  first_made.set(made.position());
}

bool older(const Descriptor& a, const Descriptor& b) {
  const std::uint64_t age_of_a = a.age.load(kAcquire), age_of_b = b.age.load(kAcquire);
  return age_of_a != 0 && (age_of_b == 0 || age_of_a < age_of_b);
}

void draw_age(Descriptor& self) {
  if (self.age.load(std::memory_order_relaxed) == 0)
    self.age.store(registry().ages.fetch_add(1) + 1, kRelease);
}

std::uint64_t draw_stamp() { return registry().stamps.fetch_add(1) + 1; }

Descriptor& adopt_descriptor() {
  Registry& known = registry();
  const std::lock_guard guard(known.mutex);
  if (!known.unused.empty()) {
    std::pop_heap(known.unused.begin(), known.unused.end(), has_larger_id);
    Descriptor& descriptor = *known.unused.back();
    known.unused.pop_back();
    return descriptor;
  }
  const std::uint32_t id = known.made + 1;
  if (known.unused.capacity() < id) known.unused.reserve(2 * id);
  auto* const descriptor = new Descriptor(id);
  known.made = id;
  if (descriptor->thin_id != 0) known.by_thin_id[id].store(descriptor, std::memory_order_release);
  known.end->set_release(descriptor);
  known.end = &descriptor->following;
  return *descriptor;
}

void retire_descriptor(Descriptor& descriptor) {
  forget_age(descriptor);
  Registry& known = registry();
  const std::lock_guard guard(known.mutex);
  known.unused.push_back(&descriptor);
  std::push_heap(known.unused.begin(), known.unused.end(), has_larger_id);
}

Descriptor* descriptor_with_thin_id(std::uint64_t thin_id) {
  return registry().by_thin_id[thin_id].load(std::memory_order_acquire);
}

AllDescriptors::Iterator AllDescriptors::begin() const { return Iterator(registry().first.get_acquire()); }

void reset_registry_after_fork() {
  new (&registry().mutex) std::mutex;
  new (&reset_mutex) std::mutex;
}

// All anew: threads that were ending have no lock of the language's, and may have been in the middle of it.
void retire_descriptors_of_others(const Descriptor* survivor) {
  Registry& known = registry();
  known.unused.clear();
  for (Descriptor* descriptor : all_descriptors()) {
    if (descriptor != survivor) known.unused.push_back(descriptor);
  }
}

Totals statistics() {
  const std::lock_guard guard(reset_mutex);
  Totals totals = sum();
  for (int counter = 0; counter < static_cast<int>(Counter::Count); ++counter) {
    totals.values[counter] -= std::min(totals.values[counter], forgotten.values[counter]);
  }
  return totals;
}

void reset_statistics() {
  const std::lock_guard guard(reset_mutex);
  forgotten = sum();
  for (Descriptor* descriptor : all_descriptors()) descriptor->counters.reset_peaks();
}

}  // namespace stmpy::core
