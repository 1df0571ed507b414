// The pairs of a variable and an attribute that a function accesses, numbered.

#pragma once

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "analysis/access.h"

namespace stmpy::compiler {

class Pairs {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  struct Pair {
    std::string_view variable;
    std::string_view attribute;
  };

  // The views are into the accesses.
  explicit Pairs(const std::vector<Access>& accesses) {
    for (const Access& access : accesses) {
      if (access.variable.empty()) continue;
      if (numbers_.try_emplace({access.variable, access.attribute}, all_.size()).second)
        all_.push_back({access.variable, access.attribute});
    }
  }

  const std::vector<Pair>& all() const { return all_; }
  size_t of(std::string_view variable, std::string_view attribute) const {
    const auto found = numbers_.find({variable, attribute});
    return found == numbers_.end() ? kNone : found->second;
  }
  size_t of(const Access& access) const { return of(access.variable, access.attribute); }

 private:
  std::vector<Pair> all_;
  std::map<std::pair<std::string_view, std::string_view>, size_t> numbers_;
};

}  // namespace stmpy::compiler
