// CPython's location tables (`co_linetable`), rewritten so that code compiled from the generated text names
// places in the user's source.
//
// The format is the one of CPython 3.11 to 3.15 (InternalDocs/code_objects.md, "Source code locations";
// before 3.14 Objects/locations.md): entries of one form byte, that holds the number of code units, and of
// what the form calls for. Instructions are not touched, so the entries keep their lengths and only their
// places change.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/position_map.h"

namespace stmpy::compiler {

struct CodeLocations {
  std::string table;
  uint32_t first_line;
};

// The table and `co_firstlineno` of one code object, mapped back. With a map that changes nothing, the bytes
// are those CPython wrote. `python_version` is CPython's PY_VERSION_HEX; throws std::invalid_argument for a
// version whose format is not known and for a table that is cut short. Pure: any thread may call it.
CodeLocations remap_location_table(std::string_view table, uint32_t first_line, uint32_t python_version,
                                   const PositionMap& map);

}  // namespace stmpy::compiler
