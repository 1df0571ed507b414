#include "tests/core/histories/values.h"

#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace stmpy::core::test {
namespace {

struct alignas(std::max_align_t) Header {
  std::atomic<bool> gone{false};
};

std::mutex mutex;
std::vector<Header*> gone_values;

Header* header_of(void* value) { return static_cast<Header*>(value) - 1; }

}  // namespace

void* Value::operator new(std::size_t size) {
  void* memory = std::malloc(sizeof(Header) + size);
  if (!memory) throw std::bad_alloc();
  return new (memory) Header + 1;
}

void Value::operator delete(void* memory) {
  Header* header = header_of(memory);
  header->gone.store(true);
  const std::lock_guard guard(mutex);
  gone_values.push_back(header);
}

bool is_gone(const Object& value) { return header_of(const_cast<Object*>(&value))->gone.load(); }

void forget_gone_values() {
  const std::lock_guard guard(mutex);
  for (Header* header : gone_values) std::free(header);
  gone_values.clear();
}

}  // namespace stmpy::core::test
