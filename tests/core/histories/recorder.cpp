#include "tests/core/histories/recorder.h"

namespace stmpy::core::test {

std::uint64_t stamp() {
  static std::atomic<std::uint64_t> clock{0};
  return clock.fetch_add(1) + 1;
}

void Recorder::begins() {
  line_.clear();
  commit_ = "-";
  begin_ = stamp();
}

void Recorder::ends(const char* outcome) {
  const std::string end = std::to_string(stamp());
  attempts_.push_back(std::to_string(thread_) + " " + std::to_string(begin_) + " " + commit_ + " " + end +
                      " " + outcome + line_);
}

void Recorder::operation(const char* kind, int variable, long value) {
  line_ += "; " + std::string(kind) + " x" + std::to_string(variable) + " " + std::to_string(value) + " " +
           std::to_string(stamp());
}

}  // namespace stmpy::core::test
