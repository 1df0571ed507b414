// A source file's bytes and the encoding they declare (PEP 263).

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stmpy::compiler {

struct SourceEncoding {
  std::string name;  // as declared, or "utf-8"
  bool is_utf8 = true;
  uint32_t text_start = 0;  // behind the byte order mark
};

// Reads the byte order mark and the first two lines. Throws Refusal if they contradict each other.
SourceEncoding find_encoding(std::string_view bytes);

// The first byte that is not part of well-formed UTF-8 as Python decodes it (no surrogates), or the size.
size_t find_invalid_utf8(std::string_view bytes);

}  // namespace stmpy::compiler
