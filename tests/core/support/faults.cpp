#include "tests/core/support/faults.h"

#include <cstdlib>
#include <optional>
#include <random>

namespace stmpy::core::test {
namespace {

struct Failing {
  long countdown = 0;  // 0: none
  double probability = 0;
  std::minstd_rand random;
  bool failed = false;
};
thread_local constinit bool is_failing = false;
thread_local Failing failing;

bool fails() {
  if (!is_failing) return false;
  const bool now = failing.probability > 0
                       ? std::generate_canonical<double, 24>(failing.random) < failing.probability
                       : --failing.countdown == 0;
  failing.failed |= now;
  return now;
}

void* allocate(std::size_t size, std::size_t alignment) {
  // The sizes of std::aligned_alloc are multiples of the alignment.
  void* memory =
      fails() ? nullptr : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void fail_allocation(long number) {
  failing = Failing();
  failing.countdown = number;
  is_failing = true;
}

void fail_allocations(double probability, unsigned seed) {
  failing = Failing();
  failing.probability = probability;
  failing.random.seed(seed);
  is_failing = true;
}

bool stop_failing() {
  is_failing = false;
  return failing.failed;
}

extern "C" {
void* __real_calloc(std::size_t count, std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size) {
  return fails() ? nullptr : __real_calloc(count, size);
}
}

}  // namespace stmpy::core::test

// What is not here (nothrow, arrays with an alignment) is made of these.
void* operator new(std::size_t size) {
  return stmpy::core::test::allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return stmpy::core::test::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
