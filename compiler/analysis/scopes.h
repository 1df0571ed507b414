// Which names each scope of a module binds, and what a name can mean: Python's scoping rules.

#pragma once

#include <deque>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "syntax/tree.h"

namespace stmpy::compiler {

// What a name is known to stand for, from its bindings alone.
enum class Meaning : uint8_t {
  nothing,  // not bound
  other,
  module,        // some module, by `import`
  stmpy_module,  // stmpy itself
  atomic,
  atomically,
  compiled,
  invariant,
};

struct Scope;

struct Name {
  Meaning meaning = Meaning::nothing;
  const Node* value = nullptr;         // of the assignment `name = value` that alone binds it
  const Scope* value_scope = nullptr;  // where that stands
  bool rebound = false;                // bound to a meaning of stmpy's and to something else
  uint32_t rebound_at = 0;             // where to something else
  uint32_t bindings = 0;               // how many places bind it
  bool parameter = false;
  bool can_be_unbound = false;  // deleted somewhere, or by the end of a handler
  bool global = false;
  bool nonlocal = false;
};

struct Scope {
  enum class Kind : uint8_t { module, class_body, function, lambda, comprehension };

  Kind kind;
  Scope* parent;
  const Node* node;             // the whole definition; null for the module
  std::string_view class_name;  // of a class body
  bool suspends = false;        // a `yield` of its own
  std::vector<Scope*> children;
  std::unordered_map<std::string_view, Name> names;
  std::vector<const Token*> bound;  // every name that its own code binds or deletes, once for each time
};

class Scopes {
 public:
  // The views in the scopes are into `source`; the nodes are those of `file`.
  Scopes(std::string_view source, const Node& file);
  Scopes(const Scopes&) = delete;
  Scopes& operator=(const Scopes&) = delete;

  Scope& module() { return storage_.front(); }

  // The scope that a function_definition, class_definition or lambda, or the first comprehension of a group,
  // opens.
  Scope& of(const Node& node) const { return *by_node_.at(&node); }

  // What `name` means where it is read in `scope`.
  const Name& resolve(const Scope& scope, std::string_view name) const;

 private:
  friend class Binder;

  Scope& open(Scope::Kind kind, Scope& parent, const Node& node);

  std::deque<Scope> storage_;
  std::unordered_map<const Node*, Scope*> by_node_;
};

// The class whose name private names are mangled with in this scope, or an empty view.
std::string_view mangling_class(const Scope& scope);

// The name as the compiler of Python stores it: `__x` in a class C is `_C__x`.
std::string mangled(const Scope& scope, std::string_view name);

}  // namespace stmpy::compiler
