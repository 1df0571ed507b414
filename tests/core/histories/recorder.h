// Attempts as lines of text, which tests/isolation/history.py reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace stmpy::core::test {

// One clock for all threads, which never gives the same stamp twice.
std::uint64_t stamp();

// What one thread did. Each stamp is taken by that thread, outside of what it bounds.
class Recorder {
 public:
  explicit Recorder(int thread) : thread_(thread) {}

  void begins();
  void commits() { commit_ = std::to_string(stamp()); }
  void ends(const char* outcome);
  void reads(int variable, long value) { operation("read", variable, value); }
  void writes(int variable, long value) { operation("write", variable, value); }
  void refused(int variable) { line_ += "; refused x" + std::to_string(variable); }
  void opens() { line_ += "; open"; }
  void closes() { line_ += "; close"; }
  void reverts() { line_ += "; revert"; }

  const std::vector<std::string>& attempts() const { return attempts_; }

 private:
  void operation(const char* kind, int variable, long value);

  const int thread_;
  std::uint64_t begin_ = 0;
  std::string commit_, line_;
  std::vector<std::string> attempts_;
};

}  // namespace stmpy::core::test
