// Values that tell when they are used after they were given back: their memory stays until the history has
// ended.
#pragma once

#include <utility>

#include "tests/core/support/world.h"

namespace stmpy::core::test {

struct Value : Object {
  using Object::Object;
  static void* operator new(std::size_t size);
  static void operator delete(void* memory);
};

// Leads to an object that was made in a transaction.
struct Link : Value {
  Link(long its_number, Ref<Thing> its_thing) : Value(its_number), thing(std::move(its_thing)) {}
  const Ref<Thing> thing;
};

// Whether the value's last reference was given back. Only for values.
bool is_gone(const Object& value);
// Frees what is gone. No thread may have one any more.
void forget_gone_values();

}  // namespace stmpy::core::test
