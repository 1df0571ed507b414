#include "syntax/antlr_lock.h"

#include <pthread.h>

#include <mutex>

namespace stmpy::compiler {

namespace {

std::mutex& mutex() {
  // Never destroyed: threads may parse while the process exits.
  static auto* const the_mutex = new std::mutex;
  return *the_mutex;
}

void follow_forks() {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork([] { mutex().lock(); }, [] { mutex().unlock(); }, [] { mutex().unlock(); });
  });
}

}  // namespace

AntlrLock::AntlrLock() {
  follow_forks();
  mutex().lock();
}

AntlrLock::~AntlrLock() { mutex().unlock(); }

}  // namespace stmpy::compiler
