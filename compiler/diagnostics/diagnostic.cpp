#include "diagnostics/diagnostic.h"

namespace stmpy::compiler {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::info:
      return "info";
  }
  return "";
}

namespace rules {

const Rule unreadable_text{"STM001", Severity::warning,
                           "the module runs uncompiled; save the file as UTF-8 text to have it compiled"};
const Rule unknown_syntax{
    "STM002", Severity::warning,
    "the module runs uncompiled; if Python itself accepts it, please report the line as a bug of stmpy"};
const Rule nested_too_deep{"STM003", Severity::warning,
                           "the module runs uncompiled; give names to parts of the expression"};
const Rule inconsistent_indentation{"STM004", Severity::warning,
                                    "the module runs uncompiled; indent with spaces only"};
const Rule suspending_transaction{"STM101", Severity::error,
                                  "a transaction cannot span a suspension: move the accesses to an ordinary "
                                  "@atomic function and call that, or "
                                  "mark this one @compiled"};
const Rule rebound_decorator{
    "STM102", Severity::warning,
    "functions under this name stay uncompiled; give the other binding another name"};
const Rule suspending_block{
    "STM121", Severity::error,
    "a transaction cannot span a suspension: collect what is needed before the block, or "
    "yield and await behind it; until then the block raises RuntimeError"};
const Rule block_in_class_body{
    "STM122", Severity::error,
    "put the block into a function and call that; until then the block raises RuntimeError"};

}  // namespace rules
}  // namespace stmpy::compiler
