// What the core needs of the memory model, in the two ways it is compiled.
//
// Serialized: every call into the core is made under one lock (CPython's GIL), so no instruction needs to be
// locked; only parked threads are outside of that lock, and they touch nothing but their parker. Otherwise
// any number of threads run in the core at once. The semantics are the same; the tests run the concurrent
// flavour under ThreadSanitizer.
#pragma once

#include <atomic>
#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

namespace stmpy::core {

#if defined(STMPY_SERIALIZED) && STMPY_SERIALIZED
inline constexpr bool kSerialized = true;
#else
inline constexpr bool kSerialized = false;
#endif

inline constexpr std::memory_order kAcquire =
    kSerialized ? std::memory_order_relaxed : std::memory_order_acquire;
inline constexpr std::memory_order kRelease =
    kSerialized ? std::memory_order_relaxed : std::memory_order_release;

// A 64-bit word that threads compete for.
class Word {
 public:
  constexpr explicit Word(std::uint64_t initial = 0) : bits_(initial) {}
  Word(const Word&) = delete;
  Word& operator=(const Word&) = delete;

  // Sequentially consistent, because a waiter and an observer announce themselves before they look, and who
  // ends an attempt looks for them behind its own store: one of the two must see the other.
  [[gnu::always_inline]] std::uint64_t load() const {
    return bits_.load(kSerialized ? std::memory_order_relaxed : std::memory_order_seq_cst);
  }
  [[gnu::always_inline]] void store(std::uint64_t desired) { bits_.store(desired, kRelease); }

  // On failure `expected` holds what was found.
  [[gnu::always_inline]] bool compare_exchange(std::uint64_t& expected, std::uint64_t desired) {
    if constexpr (kSerialized) {
      const std::uint64_t found = bits_.load(std::memory_order_relaxed);
      if (found != expected) {
        expected = found;
        return false;
      }
      bits_.store(desired, std::memory_order_relaxed);
      return true;
    } else {
      return bits_.compare_exchange_strong(expected, desired, std::memory_order_seq_cst,
                                           std::memory_order_acquire);
    }
  }

  // Stores, in one order with the loads that other threads make and with this thread's sequentially
  // consistent loads behind it.
  void store_fenced(std::uint64_t desired) {
    if constexpr (kSerialized) {
      bits_.store(desired, std::memory_order_relaxed);
    } else {
      bits_.exchange(desired, std::memory_order_seq_cst);
    }
  }

 private:
  std::atomic<std::uint64_t> bits_;
};

// A field that only its owner writes and other threads may look at; they find out by other means whether what
// they saw was still current.
template <class T>
class Shown {
 public:
  constexpr Shown() : value_{} {}
  constexpr explicit Shown(T initial) : value_(initial) {}
  Shown(const Shown& other) : value_(other.get()) {}
  Shown& operator=(const Shown& other) {
    set_release(other.get());
    return *this;
  }

  [[gnu::always_inline]] T get() const { return value_.load(std::memory_order_relaxed); }
  [[gnu::always_inline]] void set(T desired) { value_.store(desired, std::memory_order_relaxed); }
  [[gnu::always_inline]] T get_acquire() const { return value_.load(kAcquire); }
  [[gnu::always_inline]] void set_release(T desired) { value_.store(desired, kRelease); }

 private:
  std::atomic<T> value_;
};

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Held for a few instructions, never while foreign code runs. With the GIL it is never contended.
class SpinLock {
 public:
  void lock() {
    if constexpr (!kSerialized) {
      while (locked_.exchange(true, std::memory_order_acquire)) {
        for (int turns = 0; locked_.load(std::memory_order_relaxed); ++turns) {
          turns < kSpins ? pause() : yield_processor();
        }
      }
    }
  }
  void unlock() {
    if constexpr (!kSerialized) locked_.store(false, std::memory_order_release);
  }

 private:
  static constexpr int kSpins = 100;
  static void yield_processor();
  std::atomic<bool> locked_{false};
};

}  // namespace stmpy::core
