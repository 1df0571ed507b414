// One use of an attribute, and what the compiler does with it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stmpy::compiler {

enum class AccessKind : uint8_t { load, call, store, remove, update };

std::string_view to_string(AccessKind kind);

// What becomes of an access, in the words of the report.
enum class Fate : uint8_t {
  opened,      // a call of the runtime's acquires it
  reused,      // what an earlier access has opened answers it, at no cost
  free,        // the object is none that a transaction could know
  as_written,  // the attribute lookup of STMObject is the barrier, and the fastest one here
  dynamic,     // the same, because a call would be illegal or seen
};

std::string_view to_string(Fate fate);

// What a call acquires the attribute for.
enum class Mode : uint8_t {
  none,  // the lookup decides
  read,
  update,  // a read that may become a write
  write,
};

std::string_view to_string(Mode mode);

// The text that an access becomes.
enum class Form : uint8_t {
  plain,       // o.x
  load,        // load_write(o, "x")
  in_place,    // iadd(o, "x", n)
  open,        // open_write(o, "x").x
  keep,        // (t := open_write(o, "x")).x
  first_turn,  // ((t := open_write(o, "x")) if t is None else t).x
  reuse,       // t.x
};

inline constexpr size_t kNoAccess = static_cast<size_t>(-1);

struct Access {
  AccessKind kind;
  Fate fate = Fate::as_written;
  Form form = Form::plain;
  Mode mode = Mode::none;
  std::string_view why;
  size_t of = kNoAccess;  // Fate::reused: the access that opened it

  // Offsets in the source: `base . name`, and of an augmented assignment `operator operand`.
  uint32_t base_start;
  uint32_t dot;
  uint32_t name_start;
  uint32_t name_end;
  uint32_t operator_start = 0;
  uint32_t operator_end = 0;
  uint32_t operand_end = 0;
  bool inert_operand = false;      // see is_inert()
  bool across_suspension = false;  // an augmented assignment's right side suspends

  std::string_view variable;  // the base, where it is a name
  std::string attribute;      // mangled
  char quote = '"';           // for the attribute's name: one that no formatted string around it uses
  bool binds_names = true;    // a `:=` is legal here

  std::string temporary;  // Form::keep, first_turn and reuse: the local that holds what was opened
};

// Where a statement of ours can stand.
struct InsertionPlace {
  enum class Kind : uint8_t {
    nowhere,
    needless,  // the function is left
    behind,    // behind the simple statement that ends at `offset`
    in_front,  // in front of the simple statement that begins at `offset`
    line,      // on a line of its own above the compound statement that begins at `offset`
  };
  Kind kind = Kind::nowhere;
  uint32_t offset = 0;
};

// Where a temporary gets the value None.
struct Clearing {
  InsertionPlace place;
  std::string temporary;
};

}  // namespace stmpy::compiler
