// Comments that silence findings: `# stmpy: ignore`, `# stmpy: ignore[STM201, STM204]`, `# stmpy:
// ignore-file`.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "syntax/token.h"

namespace stmpy::compiler {

struct Ignore {
  uint32_t start;  // of the comment's text that says so
  uint32_t end;
  bool whole_file;
  // The logical line that it silences, from its first word to its end: any of its lines can hold the comment.
  uint32_t line_start;
  uint32_t line_end;
  std::vector<std::string> codes;  // none: all
};

std::vector<Ignore> find_ignores(std::string_view source, const std::vector<Token>& tokens);

}  // namespace stmpy::compiler
