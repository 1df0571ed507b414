// Attempts as lines of text, which tests/isolation/history.py reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
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
  void reads(const std::string& variable, std::optional<long> value) { operation("read", variable, value); }
  void writes(const std::string& variable, std::optional<long> value) { operation("write", variable, value); }
  void refused(const std::string& variable) { line_ += "; refused " + variable; }
  void is_irrevocable() { operation("irrevocable", "-", std::nullopt); }
  void opens() { line_ += "; open"; }
  void closes() { line_ += "; close"; }
  void reverts() { line_ += "; revert"; }
  // An abort that began then has left that value: as if it had been committed meanwhile.
  void left(std::uint64_t since, const std::string& variable, long value);

  const std::vector<std::string>& attempts() const { return attempts_; }

 private:
  void operation(const char* kind, const std::string& variable, std::optional<long> value);

  const int thread_;
  std::uint64_t begin_ = 0;
  std::string commit_, line_;
  std::vector<std::string> attempts_;
};

}  // namespace stmpy::core::test
