// The calls that the rules about the world outside of a transaction know, by their paths (see values.h).

#pragma once

#include <initializer_list>
#include <string_view>

namespace stmpy::compiler {

// Functions of one module or methods of one kind of object, or of several that share them.
struct KnownCalls {
  std::initializer_list<std::string_view> owners;
  std::initializer_list<std::string_view> names;  // "*": any
  bool harmless_on_own = false;                   // on an object that the transaction itself has made
};

using CallTable = std::initializer_list<KnownCalls>;

extern const CallTable kInputOutput, kWaiting, kLocking, kStarting, kRandom, kClock, kProcessState;

// Objects that `with` locks.
extern const std::initializer_list<std::string_view> kLocks;

// The entry for a path, or null.
const KnownCalls* find_call(const CallTable& table, std::string_view path);

}  // namespace stmpy::compiler
