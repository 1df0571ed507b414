// The statements that take what was opened out of a temporary: one edit list for a module.

#pragma once

#include <string_view>
#include <vector>

#include "analysis/access.h"
#include "rewrite/barriers.h"
#include "text/edits.h"

namespace stmpy::compiler {

// Those in front of statements come in front of all other edits there, those behind come behind them: call
// the one before, the other after the rest.
void insert_clearings_in_front(std::string_view source, const std::vector<Clearing>& clearings,
                               const BarrierNames& names, Edits& edits);
void insert_clearings_behind(const std::vector<Clearing>& clearings, const BarrierNames& names, Edits& edits);

}  // namespace stmpy::compiler
