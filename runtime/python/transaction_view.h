// stmpy.Transaction: an attempt as a program sees it, also when it is over.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/python/thread.h"

namespace stmpy {

// What identifies an attempt for whoever asks.
struct Identity {
  core::Attempt attempt;
  std::uint64_t call = 0;    // all attempts of a call share it; 0: of a write outside of transactions
  std::uint64_t number = 0;  // from 1
  Ref name;                  // null: it has none
};

// Of an attempt of any thread's; none where it has ended. Runs no code.
std::optional<Identity> identity_of(const core::Attempt& attempt);

// A Transaction. Null with MemoryError.
Ref make_transaction_view(const Identity& identity);

// Adds the type to the module. -1 with an exception.
int add_transaction_view(PyObject* module);

}  // namespace stmpy
