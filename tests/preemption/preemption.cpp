// Instead of ThreadSanitizer's library: the compiler calls these before each access to memory, and in the
// place of each atomic one (-fsanitize=thread). Now and then the thread that does so loses its turn there,
// and what goes wrong only where two instructions are far apart goes wrong soon. Nothing is checked here:
// the tests see what comes of it.
#include <sched.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

// After so many accesses, on the average, a thread loses its turn. Atomic ones, between which threads can
// see each other, count as kAtomic.
constexpr int kAtomic = 10;
std::uint32_t period() {
  static const std::uint32_t given = [] {
    const char* const text = std::getenv("STMPY_PREEMPTION_PERIOD");
    return text ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : 4000;
  }();
  return given;
}
// How long others run meanwhile: seldom for so many operations that a table is rebuilt twice.
constexpr std::uint32_t kShort = 100'000, kLong = 3'000'000;  // in nanoseconds, at most

[[gnu::tls_model("initial-exec")]] thread_local std::uint64_t state = 0;
[[gnu::tls_model("initial-exec")]] thread_local std::int64_t left = 0;
std::atomic<std::uint64_t> threads{0};

// xorshift: each thread has its own sequence.
std::uint32_t draw() {
  if (state == 0) state = (threads.fetch_add(1) + 1) * 0x9E3779B97F4A7C15u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::uint32_t>(state >> 32);
}

[[gnu::noinline]] void lose_turn() {
  const bool first = state == 0;
  left = draw() % (2 * period()) + 1;
  if (first) return;
  const std::uint32_t how = draw() % 32;
  if (how >= 16) {
    sched_yield();
    return;
  }
  const timespec while_others_run{0, static_cast<long>(draw() % (how == 0 ? kLong : kShort))};
  nanosleep(&while_others_run, nullptr);
}

void at_access() {
  if (--left < 0) [[unlikely]]
    lose_turn();
}
void at_atomic_access() {
  if ((left -= kAtomic) < 0) [[unlikely]]
    lose_turn();
}

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) { at_access(); }
void __tsan_read_range(void*, unsigned long) { at_access(); }
void __tsan_write_range(void*, unsigned long) { at_access(); }
void __tsan_atomic_thread_fence(int) {
  at_atomic_access();
  std::atomic_thread_fence(std::memory_order_seq_cst);
}
void __tsan_atomic_signal_fence(int) {}

#define ACCESSES_OF_SIZE(size)                             \
  void __tsan_read##size(void*) { at_access(); }           \
  void __tsan_write##size(void*) { at_access(); }          \
  void __tsan_unaligned_read##size(void*) { at_access(); } \
  void __tsan_unaligned_write##size(void*) { at_access(); }
ACCESSES_OF_SIZE(1)
ACCESSES_OF_SIZE(2)
ACCESSES_OF_SIZE(4)
ACCESSES_OF_SIZE(8)
ACCESSES_OF_SIZE(16)

// The strongest order for all: x86 reorders little anyway, and what this looks for is in the order of turns.
#define EXCHANGING(bits, type, name)                                      \
  type __tsan_atomic##bits##_##name(volatile type* at, type value, int) { \
    at_atomic_access();                                                   \
    return __atomic_##name(at, value, __ATOMIC_SEQ_CST);                  \
  }
#define ATOMICS_OF_SIZE(bits, type)                                                                        \
  type __tsan_atomic##bits##_load(const volatile type* at, int) {                                          \
    at_atomic_access();                                                                                    \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                          \
  }                                                                                                        \
  void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                                   \
    at_atomic_access();                                                                                    \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                         \
  }                                                                                                        \
  type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                                \
    at_atomic_access();                                                                                    \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                               \
  }                                                                                                        \
  EXCHANGING(bits, type, fetch_add)                                                                        \
  EXCHANGING(bits, type, fetch_sub)                                                                        \
  EXCHANGING(bits, type, fetch_and)                                                                        \
  EXCHANGING(bits, type, fetch_or)                                                                         \
  EXCHANGING(bits, type, fetch_xor)                                                                        \
  bool __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* expected, type desired, int, \
                                                     int) {                                                \
    at_atomic_access();                                                                                    \
    return __atomic_compare_exchange_n(at, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
  }                                                                                                        \
  bool __tsan_atomic##bits##_compare_exchange_weak(volatile type* at, type* expected, type desired,        \
                                                   int success, int failure) {                             \
    return __tsan_atomic##bits##_compare_exchange_strong(at, expected, desired, success, failure);         \
  }
ATOMICS_OF_SIZE(8, std::uint8_t)
ATOMICS_OF_SIZE(16, std::uint16_t)
ATOMICS_OF_SIZE(32, std::uint32_t)
ATOMICS_OF_SIZE(64, std::uint64_t)

}  // extern "C"
#pragma GCC visibility pop
