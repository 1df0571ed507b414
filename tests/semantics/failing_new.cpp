// Preloaded into an interpreter: the C++ code's memory ends when it is told to, for this thread, and whoever
// catches the exception is looked at. Between the throw and the catch there may be no frame of anybody
// else's: nothing there is undone.
#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

extern "C" void* __libc_calloc(std::size_t count, std::size_t size);

namespace {

constexpr int kDeepest = 512;

struct Trace {
  std::array<void*, kDeepest> frames;
  int count = 0;
  // The innermost first.
  [[gnu::always_inline]] void take() { count = backtrace(frames.data(), kDeepest); }
};

thread_local long countdown = 0;  // 0: nothing fails
thread_local bool failed = false;
thread_local bool thrown = false;  // ... and not caught yet
thread_local Trace at_throw;
thread_local const char* passed = nullptr;

const char* file_of(void* address) {
  Dl_info found;
  return dladdr(address, &found) && found.dli_fname ? found.dli_fname : "?";
}
// Its exceptions are expected to be caught where they are thrown.
bool is_ours(const char* file) {
  const char* const ours[] = {"_runtime.", "libstdc++", "libgcc_s", "failing_new"};
  return std::any_of(std::begin(ours), std::end(ours),
                     [&](const char* name) { return std::strstr(file, name) != nullptr; });
}

bool fails() {
  if (countdown == 0 || --countdown != 0) return false;
  failed = thrown = true;
  at_throw.take();
  return true;
}

void* allocate(std::size_t size, std::size_t alignment) {
  void* memory =
      fails() ? nullptr : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

// The frames at both ends of an exception's way have the callers of who catches it in common.
void look_at_the_way() {
  Trace here;
  here.take();
  int from = at_throw.count, to = here.count;
  while (from > 0 && to > 0 && at_throw.frames[from - 1] == here.frames[to - 1]) --from, --to;
  for (int index = 0; index < from - 1; ++index) {  // without who catches it
    const char* const file = file_of(at_throw.frames[index]);
    if (!is_ours(file)) passed = file;
  }
}

// The first call of it loads a library.
[[gnu::constructor]] void make_backtraces_work() { at_throw.take(); }

}  // namespace

// What is not here (arrays, nothrow) is made of these.
void* operator new(std::size_t size) { return allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

extern "C" {

// The interpreter's own memory goes on.
void* calloc(std::size_t count, std::size_t size) {
  const bool counts = countdown != 0 && is_ours(file_of(__builtin_return_address(0)));
  return counts && fails() ? nullptr : __libc_calloc(count, size);
}

void* __cxa_begin_catch(void* exception) {
  static auto* const original = reinterpret_cast<void* (*)(void*)>(dlsym(RTLD_NEXT, "__cxa_begin_catch"));
  if (std::exchange(thrown, false)) look_at_the_way();
  return original(exception);
}

// The allocation with that number from now on fails, and it alone.
void fail_allocation(long number) {
  countdown = number;
  failed = thrown = false;
  passed = nullptr;
}
// None fails any more. 1 if one has.
int stop_failing() {
  countdown = 0;
  return failed;
}
// Whose frames the exception has passed; null: nobody's.
const char* passed_by_the_exception() { return passed; }
}
