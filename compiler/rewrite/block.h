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

#include <string>
#include <vector>

#include "analysis/atomic_blocks.h"
#include "rewrite/lines.h"

namespace stmpy::compiler {

// Spaces are added behind the user's own indentation, never in front of it: so tabs stay as comparable as
// they were.
class BlockRewriter {
 public:
  // `around`: of the block that this one is nested in, in the same function or around it; or null.
  BlockRewriter(Unit& unit, const AtomicBlock& block, const BlockRewriter* around);

  // In this order, and after what is around: from `with` to the first line of the body; the spaces of its
  // lines; behind the body the handler of the attempts, and the jumps out of the loop.
  void rewrite_head();
  void indent_body();
  void rewrite_end();

  // The body's own jumps up to a place; those of a block inside are that block's.
  void rewrite_jumps(uint32_t until);
  void skip_jumps(uint32_t until);

  // How many spaces more the body's lines have than in the source.
  size_t body_shift() const { return shift_ + indent_; }

 private:
  struct Loop {
    const WithItem* item;
    std::string variable;
    size_t indent;
  };

  const Token& token_at(size_t index) const { return static_cast<const Token&>(*unit_.tokens.get(index)); }
  std::string use(std::string_view barrier) { return unit_.names.use(barrier); }
  // The brackets around items are given to each part of them.
  std::string_view bracket(std::string_view either) const {
    return block_.with.in_brackets ? either : std::string_view();
  }
  std::string line(size_t indent) const { return join({"\n", base_, std::string(indent, ' ')}); }

  Anchor anchor_at(const WithItem& item) const;
  void insert(uint32_t at, std::string text, const WithItem& item);
  void replace(uint32_t start, uint32_t end, std::string text, const WithItem& item);

  std::string begin_loop(const WithItem& item);
  std::string begin_attempt(bool is_last);
  std::string end_loop(const Loop& loop);
  bool continue_breaks() const;
  bool puts_back(const Loop& loop) const;
  std::string put_back(const Loop& loop);

  Unit& unit_;
  const AtomicBlock& block_;
  const BlockRewriter* const around_;  // in the same function
  const Node& body_;
  const size_t shift_;  // how many spaces more the with statement has than in the source
  const size_t depth_;  // of the loops around in the same function
  const std::string base_;
  const BoundNames bound_;
  const Jumps jumps_;
  size_t next_jump_ = 0;
  size_t indent_ = 0;  // of what is written next, in spaces behind base_
  std::vector<Loop> loops_;
};

}  // namespace stmpy::compiler
