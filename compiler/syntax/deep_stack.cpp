#include "syntax/deep_stack.h"

#include <pthread.h>
#include <signal.h>

#include <exception>
#include <system_error>

namespace stmpy::compiler {

namespace {

constexpr size_t kStackSize = size_t{128} << 20;  // of addresses: pages come into being when they are touched

thread_local const char* stack_base = nullptr;

struct Task {
  const std::function<void()>& work;
  std::exception_ptr failure;
};

void* run(void* argument) {
  stack_base = static_cast<const char*>(__builtin_frame_address(0));
  auto& task = *static_cast<Task*>(argument);
  try {
    task.work();
  } catch (...) {
    task.failure = std::current_exception();
  }
  return nullptr;
}

void check(int error) {
  if (error != 0)
    throw std::system_error(error, std::generic_category(), "cannot start the compiler's thread");
}

}  // namespace

void run_on_deep_stack(const std::function<void()>& work) {
  Task task{work, nullptr};
  pthread_attr_t attributes;
  check(pthread_attr_init(&attributes));
  pthread_attr_setstacksize(&attributes, kStackSize);

  // Signals are for the program's threads: the new one inherits a mask that leaves them to those.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, run, &task);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  check(error);

  pthread_join(thread, nullptr);
  if (task.failure) std::rethrow_exception(task.failure);
}

size_t deep_stack_used() {
  return static_cast<size_t>(stack_base - static_cast<const char*>(__builtin_frame_address(0)));
}

}  // namespace stmpy::compiler
