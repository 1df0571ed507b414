// Recursion over syntax needs more stack than a thread of the user's may have.

#pragma once

#include <cstddef>
#include <functional>

namespace stmpy::compiler {

// Runs `work` on a thread of its own with a large stack, waits for it and passes its exception on.
void run_on_deep_stack(const std::function<void()>& work);

// How much of that stack is in use, in bytes: what can recurse without bound asks here. Only inside of
// `work`.
size_t deep_stack_used();

// What the parser may use of it. What walks over its tree later needs less for each level of the tree.
inline constexpr size_t kParserStack = size_t{32} << 20;

}  // namespace stmpy::compiler
