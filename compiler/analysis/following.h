// Which mode each read should ask for: what is written behind it (protocol, section 2).

#pragma once

#include <vector>

#include "analysis/flow.h"

namespace stmpy::compiler {

// For each access of the function. A load has Mode::write where the same variable's attribute is certainly
// written behind it, Mode::update where it may be, else Mode::read; paths that leave the function by an
// exception do not count, since they revert. What writes has Mode::write.
std::vector<Mode> modes_wanted(const FlowGraph& graph, const std::vector<Access>& accesses);

}  // namespace stmpy::compiler
