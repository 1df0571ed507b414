#include "tests/core/support/host.h"

#include "runtime/core/host.h"

namespace stmpy::core::test {

std::atomic<long> Object::alive{0};
thread_local std::function<bool()> signal_handlers;
thread_local bool alone = false;
std::atomic<int> detached{0};
std::function<void()> on_detach, on_attach;

void retain(Object* object) { object->references.fetch_add(1, std::memory_order_relaxed); }

void release(Object* object) {
  if (object->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (object->finaliser) object->finaliser();
  delete object;
}

void install_host() {
  host.detach = []() -> void* {
    if (on_detach) on_detach();
    ++detached;
    return &detached;
  };
  host.attach = [](void*) {
    --detached;
    if (on_attach) on_attach();
  };
  host.interrupted = [] { return signal_handlers && signal_handlers(); };
  host.handles_signals = [] { return true; };
  host.is_alone = [] { return alone; };
  host.is_constant = [](void* reference) { return static_cast<Object*>(reference)->constant; };
  host.retain = [](void* reference) { retain(static_cast<Object*>(reference)); };
  host.release = [](void* reference) { release(static_cast<Object*>(reference)); };
}

}  // namespace stmpy::core::test
