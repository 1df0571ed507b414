// `with atomic(): …` becomes a loop of attempts.
//
//     with A as a, atomic(timeout=1) as tx, C as c:      with A as a:
//         work                                            for b in attempts(atomic(timeout=1), "f", …):
//                                                          try:
//                                                           with b:
//                                                            begin(b); tx = transaction()
//                                                            with C as c:
//                                                             work
//                                                          except aborted(b):
//                                                           x, y = saved(b)
//                                                          else:
//                                                           break
//
// The loop's end between two attempts is where the runtime waits, outside of the handler. `begin` is inside
// of the `try`, so that no signal can come between the two; the end of `with b` is the commit, however the
// code leaves, and what it raises is caught as well, so that a commit that fails takes back a `return`,
// `break` or `continue` that was under way. A `break` of the user's leaves the loop with `b` in its variable,
// which is cleared otherwise; a `continue` ends the loop, as the block is over; both are passed on behind it.

#pragma once

#include <string_view>
#include <vector>

#include "analysis/atomic_blocks.h"
#include "rewrite/barriers.h"
#include "syntax/token.h"
#include "text/edits.h"

namespace stmpy::compiler {

// `blocks` are in the order of the source. Of edits at one place, these have to be made before those of the
// expressions in the blocks.
void rewrite_blocks(std::string_view source, const LineTable& lines, const TokenList& tokens,
                    const std::vector<AtomicBlock>& blocks, BarrierNames& names, Edits& edits);

}  // namespace stmpy::compiler
