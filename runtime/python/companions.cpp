#include "runtime/python/companions.h"

#include <new>

#include "runtime/python/callbacks.h"
#include "runtime/python/finaliser.h"
#include "runtime/python/guarded.h"

namespace stmpy {

Companions* companions_of(Thread& thread) {
  try {
    if (!thread.companions) thread.companions = std::make_unique<Companions>();
  } catch (const std::bad_alloc&) {
    raise_no_memory();
  }
  return thread.companions.get();
}

bool reserve_entry(Thread& thread) {
  try {
    core::reserve_entry(thread.descriptor);
    return true;
  } catch (const std::bad_alloc&) {
    raise_no_memory();
    return false;
  }
}

void log_companion(Thread& thread, void* changed, const core::Change& change, Ref old_value) {
  core::log_change(thread.descriptor, thread.companions->record, changed, change, old_value.release(), false);
}

bool end_companions(std::unique_ptr<Companions> companions, bool committed) {
  companions->locals.clear();
  companions->written.clear();
  if (companions->dying) call_deferred_finalisers(std::move(companions->dying));
  return run_callbacks(companions->callbacks, committed);
}

}  // namespace stmpy
