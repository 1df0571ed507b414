// One use of an attribute, and what the compiler does with it.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stmpy::compiler {

enum class AccessKind : uint8_t { load, call, store, remove, update };

std::string_view to_string(AccessKind kind);

// How an access reaches the runtime.
enum class Plan : uint8_t {
  dynamic,     // as written: the attribute lookup of STMObject is the barrier
  load,        // one call that returns the value
  open_write,  // the target's object is opened, then stored to as written
  open_delete,
  open_update,  // the target's object is opened for what augmented assignment reads and stores
  in_place,     // one call that loads, operates and stores
};

std::string_view to_string(Plan plan);

struct Access {
  AccessKind kind;
  Plan plan;
  std::string_view why_dynamic;  // for Plan::dynamic

  // Offsets in the source: `base . name`, and for Plan::in_place `operator operand`.
  uint32_t base_start;
  uint32_t dot;
  uint32_t name_start;
  uint32_t name_end;
  uint32_t operator_start = 0;
  uint32_t operator_end = 0;
  uint32_t operand_end = 0;

  std::string attribute;  // mangled
  char quote = '"';       // for the attribute's name: one that no formatted string around it uses
};

}  // namespace stmpy::compiler
