// What the compiler tells its user about a source: which rule, where, what is wrong, what to do.

#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "text/line_table.h"

namespace stmpy::compiler {

enum class Severity { error, warning, info };

std::string_view to_string(Severity severity);

// A rule has one code, for good: users silence and search for it.
struct Rule {
  std::string_view code;
  Severity severity;
  std::string_view hint;
};

namespace rules {
// The source stays as it is and runs on the dynamic tier.
extern const Rule unreadable_text;
extern const Rule unknown_syntax;
extern const Rule nested_too_deep;
extern const Rule inconsistent_indentation;
// One function stays as it is.
extern const Rule suspending_transaction;
extern const Rule rebound_decorator;
// One `with atomic():` stays as it is, and raises when it is reached.
extern const Rule suspending_block;
extern const Rule block_in_class_body;
}  // namespace rules

struct Diagnostic {
  const Rule* rule;
  Position place;
  std::string message;
};

// Thrown where a source cannot be read on; becomes the diagnostic of the source's refusal in compile().
class Refusal : public std::runtime_error {
 public:
  Refusal(const Rule& rule, uint32_t offset, const std::string& message)
      : std::runtime_error(message), rule_(&rule), offset_(offset) {}

  const Rule& rule() const { return *rule_; }
  uint32_t offset() const { return offset_; }

 private:
  const Rule* rule_;
  uint32_t offset_;
};

}  // namespace stmpy::compiler
