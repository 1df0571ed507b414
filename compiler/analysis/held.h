// What a function can hold on to: payloads that one access has opened and later ones use again.
//
// A *holding* is a local variable of ours for the payload of one pair (variable, attribute), opened for
// reading or for writing. It answers an access that it reaches on every path with nothing in between that
// ends it: the variable is bound again or unbound, the attribute is deleted, a `with` statement begins or
// ends, an exception is handled. In a loop in which nothing ends it, it is opened at the first turn that
// reaches an access of it.

#pragma once

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "analysis/flow.h"
#include "analysis/pairs.h"

namespace stmpy::compiler {

// One for reading and one for writing of each pair.
struct Holding {
  size_t pair;
  bool writes;
};

// How an access is answered, if those holdings exist that the solution was made for.
struct Answer {
  size_t holding = Pairs::kNone;  // what answers it, or what it opens; none: neither
  bool opens = false;
  bool keeps = false;          // opens: and something uses it later
  size_t loop = Pairs::kNone;  // opens: at the first turn of this loop
};

struct HeldSolution {
  std::vector<Answer> answers;  // by access
  // The variable of a holding is bound anew while there may be something in it.
  struct Ending {
    InsertionPlace place;
    size_t holding;
  };
  std::vector<Ending> endings;
};

class Held {
 public:
  // `modes` as by modes_wanted(); `variables`: those that payloads can be held for.
  Held(const FlowGraph& graph, const std::vector<Access>& accesses, const std::vector<Mode>& modes,
       const std::set<std::string_view>& variables);

  static size_t number(Holding holding) { return holding.pair * 2 + (holding.writes ? 1 : 0); }
  static Holding holding(size_t number) { return {number / 2, number % 2 == 1}; }
  const Pairs& pairs() const { return pairs_; }
  bool may_hold_any() const { return std::ranges::find(may_hold_, true) != may_hold_.end(); }

  // With the holdings that exist.
  HeldSolution solve(const std::vector<bool>& exists) const;

  // Whether a variable's payloads are held over the turns of a loop around the access.
  bool is_in_loop(size_t access) const { return in_loop_[access]; }

 private:
  class Solver;
  void find_uses(HeldSolution& solution) const;

  // The outermost loop around the block in which nothing ends the pair's holdings, or none.
  size_t loop_without_end(size_t pair, uint32_t block) const;
  void find_loops_without_end();

  const FlowGraph& graph_;
  const std::vector<Access>& accesses_;
  const std::vector<Mode>& modes_;
  Pairs pairs_;
  std::vector<bool> may_hold_;                      // by pair
  std::vector<std::vector<size_t>> loops_without_;  // by pair: the loops in which nothing ends its holdings
  std::vector<bool> in_loop_;                       // by access
};

}  // namespace stmpy::compiler
