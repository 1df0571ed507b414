#include "runtime/python/companions.h"

#include <new>

#include "runtime/python/callbacks.h"
#include "runtime/python/finaliser.h"

namespace stmpy {

Companions* companions_of(Thread& thread) {
  if (!thread.companions) thread.companions.reset(new (std::nothrow) Companions);
  if (!thread.companions) PyErr_NoMemory();
  return thread.companions.get();
}

bool log_companion(Thread& thread, void* changed, const core::Change& change, PyObject* old_value) {
  try {
    core::reserve_entry(thread.descriptor);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  core::log_change(thread.descriptor, thread.companions->record, changed, change, old_value, false);
  return true;
}

bool end_companions(std::unique_ptr<Companions> companions, bool committed) {
  if (companions->dying) call_deferred_finalisers(std::move(companions->dying));
  return run_callbacks(companions->callbacks, committed);
}

}  // namespace stmpy
