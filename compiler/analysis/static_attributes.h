// What Python 3.13 and later keep in a class's `__static_attributes__`: names that its functions store on
// `self`. CPython does not see those whose text was changed.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "analysis/atomic_code.h"

namespace stmpy::compiler {

// By the line in which the class's code begins: that of its first decorator.
using StaticAttributes = std::map<uint32_t, std::set<std::string_view>>;

// Of the accesses that are rewritten. The names are views into `source`.
StaticAttributes find_static_attributes(std::string_view source, const LineTable& lines,
                                        const std::vector<CompiledFunction>& functions);

}  // namespace stmpy::compiler
