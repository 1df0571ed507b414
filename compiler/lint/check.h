// What a rule is given, and how it answers.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lint/regions.h"
#include "lint/rules.h"
#include "lint/values.h"

namespace stmpy::compiler {

struct Finding {
  const LintRule* rule;
  uint32_t start;
  uint32_t end;
  std::string message;
};

class Findings {
 public:
  void add(const LintRule& rule, uint32_t start, uint32_t end, std::string message) {
    found_.push_back({&rule, start, end, message.append(said_of_)});
  }
  void add(const LintRule& rule, const Node& place, std::string message) {
    add(rule, start_of(place), end_of(place), std::move(message));
  }

  // What is added from now on is in a function that another one calls.
  void said_of(std::string which) { said_of_ = std::move(which); }

  // In the order of the source, each once: regions can be parts of each other.
  std::vector<Finding> sorted() &&;

 private:
  std::vector<Finding> found_;
  std::string said_of_;
};

// A node of atomic code. A rule is a function from it to findings.
struct Place {
  const Node& node;
  const Scope& scope;
  const Region& region;
  const Values& values;
  Findings& findings;

  std::string_view text(const Node& other) const { return values.text(other); }
  std::string_view text(const Token& token) const { return values.text(token); }

  // Whether all that binds the name stands in the region: then its value was made there, or is a parameter.
  bool binds(const Token& name) const;

  // Whether the primary begins with a name whose value was made in the region.
  bool made_here(const Node& primary) const;

  // Whether the primary begins with an argument that the transaction gives to a function it calls.
  bool is_given(const Node& primary) const;

  // Whether the primary's object, of this class, is known to be no STMObject, and to be nobody's own.
  bool is_plain_object(const Node& primary, const LocalClass& local) const;

  // Whether the region is the function that makes the object it writes to.
  bool is_initialiser() const;
};

// A use of a primary as a target, with what is done to it.
struct Target {
  enum class Kind : uint8_t { store, update, remove };

  const Node* primary;
  Kind kind;
};

// The targets of a statement or clause, one by one: names, attributes, subscripts.
std::vector<Target> targets_of(const Node& node);

// A call in a primary: what is called is its first `callee` children.
struct Call {
  size_t callee;
  const Node* arguments;  // or null
  uint32_t end;
};
std::vector<Call> calls_in(const Node& primary);

// The value of the argument `keyword=`, or null.
const Node* keyword_argument(const Place& place, const Call& call, std::string_view keyword);

}  // namespace stmpy::compiler
