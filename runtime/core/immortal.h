// What nothing destroys, because threads may outlive static objects, and what no allocation makes.
#pragma once

namespace stmpy::core {

template <class T>
union Immortal {
  T value;

  constexpr Immortal() : value() {}
  constexpr ~Immortal() {}
};

}  // namespace stmpy::core
