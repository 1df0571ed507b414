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

void Recorder::left(std::uint64_t since, const std::string& variable, long value) {
  const std::string then = std::to_string(since);
  attempts_.push_back(std::to_string(thread_) + " " + then + " " + then + " " + std::to_string(stamp()) +
                      " committed; write " + variable + " " + std::to_string(value) + " " + then);
}

void Recorder::operation(const char* kind, const std::string& variable, std::optional<long> value) {
  line_ += "; " + std::string(kind) + " " + variable + " " + (value ? std::to_string(*value) : "-") + " " +
           std::to_string(stamp());
}

}  // namespace stmpy::core::test
