// Accesses become calls: one edit list for a module.

#pragma once

#include <string_view>
#include <vector>

#include "analysis/access.h"
#include "rewrite/barriers.h"
#include "text/edits.h"

namespace stmpy::compiler {

void rewrite_accesses(std::string_view source, const LineTable& lines, std::vector<Access> accesses,
                      BarrierNames& names, Edits& edits);

}  // namespace stmpy::compiler
