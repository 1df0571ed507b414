#include "runtime/core/waits.h"

namespace stmpy::core {
namespace {

// Alive, even where the attempt ends just now: its references go to limbo while we observe. The record of the
// waiter's is not looked at: who waits between two attempts holds nothing.
void* object_of(const Attempt& by, const Record* record) {
  void* object = nullptr;
  by.descriptor->accesses.observe(by.descriptor->first_access.get(), [&](const Access& access) {
    if (access.record.get_acquire() == record) object = access.object();
    return !object && in_progress(by);
  });
  if (!object) {  // it may have leaked before its commit
    by.descriptor->made.observe(by.descriptor->first_made.get(), [&](const Made& made) {
      if (made.has(record)) object = made.object.get_acquire();
      return !object && in_progress(by);
    });
  }
  return in_progress(by) ? object : nullptr;
}

// A claim's setter waits for somebody else's, and so on: no further than this.
constexpr int kSteps = 16;

}  // namespace

std::vector<SeenWait> waits_since(Clock::time_point latest) {
  std::vector<SeenWait> all;
  for (Descriptor* descriptor : all_descriptors()) {
    const Awaiting awaiting = descriptor->awaiting.get();
    if (awaiting.number != 0 && awaiting.since <= latest) all.push_back({descriptor, awaiting});
  }
  return all;
}

void* awaited_object(const Observer&, const Awaiting& awaiting) {
  Attempt whom = awaiting.whom;
  for (int step = 0; step < kSteps && awaiting.at && whom && in_progress(whom); ++step) {
    if (void* object = object_of(whom, awaiting.at)) return object;
    // Who has only claimed the pair waits for it as well.
    const Awaiting further = whom.descriptor->awaiting.get();
    if (further.number == 0 || further.at != awaiting.at) break;
    whom = further.whom;
  }
  return nullptr;
}

}  // namespace stmpy::core
