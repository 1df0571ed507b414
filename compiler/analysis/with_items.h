// The items of a with statement, whether brackets stand around them or not.

#pragma once

#include <vector>

#include "syntax/tree.h"

namespace stmpy::compiler {

struct WithItem {
  const Node* expression;
  const Node* target;  // or null
  bool atomic = false;

  uint32_t start() const { return start_of(*expression); }
  uint32_t end() const { return end_of(target != nullptr ? *target : *expression); }
};

struct WithItems {
  std::vector<WithItem> items;
  bool in_brackets;
};

WithItems items_of(const Node& with_statement);

// The expression without the brackets around it.
const Node& unbracketed(const Node& expression);

}  // namespace stmpy::compiler
