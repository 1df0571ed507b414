// The names under which generated code reaches the runtime. All that the compiler knows of it is here.

#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/access.h"
#include "syntax/token.h"

namespace stmpy::compiler {

// Of the barriers' names, parameters and meanings: code asks for it when it is imported.
inline constexpr std::string_view kBarrierModule = "stmpy._barriers";
inline constexpr std::string_view kBarrierAbi = "abi_2";

// The barrier that an access is planned to call; empty for none.
std::string_view barrier_of(std::string_view source, const Access& access);

// The names a module's generated code uses for the barriers it needs.
class BarrierNames {
 public:
  // The prefix is one that no name of the source begins with.
  BarrierNames(std::string_view source, const std::vector<Token>& tokens);

  // The name of a barrier; from now on the prologue imports it.
  std::string use(std::string_view barrier);

  // The name of a local variable of ours.
  std::string temporary(std::string_view name) const { return prefix_ + std::string(name); }

  // What an inner `@atomic def atomic()` is called, so that `atomic` itself keeps its meaning.
  std::string block() const { return prefix_ + "block"; }

  // The variable that holds a `with atomic():` block, by how deep it is nested in others.
  std::string block_variable(size_t depth) const { return prefix_ + "block" + std::to_string(depth + 1); }

  // The line that binds the names that are used.
  std::string prologue() const;

 private:
  std::string prefix_;
  std::set<std::string, std::less<>> used_;
};

}  // namespace stmpy::compiler
