// The status word of a descriptor (protocol, section 1): generation and state in one word, every transition
// one CAS.
#pragma once

#include <cstdint>

#include "runtime/core/atomics.h"

namespace stmpy::core {

enum class State : std::uint64_t { Idle, Active, Doomed, Irrevocable, Committed };

struct Status {
  std::uint64_t bits;

  static constexpr Status of(std::uint64_t generation, State state) {
    return Status{generation << kStateBits | static_cast<std::uint64_t>(state)};
  }
  State state() const { return static_cast<State>(bits & kStateMask); }
  std::uint64_t generation() const { return bits >> kStateBits; }
  bool in_progress() const { return state() != State::Idle; }

  static constexpr int kStateBits = 3;
  static constexpr std::uint64_t kStateMask = (1u << kStateBits) - 1;
};

}  // namespace stmpy::core
