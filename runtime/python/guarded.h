// Memory may end in any function of ours that CPython calls, and no C++ exception may leave one: the frames
// of C's that it would pass undo nothing.
//
// What has a std::vector or the like at hand is `guarded` where CPython is told of it; below, whoever has to
// put something right first catches std::bad_alloc.
#pragma once

#include <new>
#include <type_traits>

#include "runtime/python/references.h"

namespace stmpy {

// MemoryError, for a std::bad_alloc that was caught. The request that a barrier was told to make again is not
// made any more.
void raise_no_memory();

namespace detail {

template <auto kFunction>
struct Guarded;

template <class Result, class... Arguments, Result (*kFunction)(Arguments...)>
struct Guarded<kFunction> {
  static Result call(Arguments... arguments) {
    try {
      return kFunction(arguments...);
    } catch (const std::bad_alloc&) {
      raise_no_memory();
      if constexpr (std::is_pointer_v<Result>) {
        return nullptr;
      } else {
        return -1;
      }
    }
  }
};

}  // namespace detail

template <auto kFunction>
inline constexpr auto guarded = &detail::Guarded<kFunction>::call;

}  // namespace stmpy
