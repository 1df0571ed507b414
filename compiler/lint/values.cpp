#include "lint/values.h"

#include <algorithm>

#include "lint/walk.h"

namespace stmpy::compiler {

namespace {

// Definitions that lead to each other, or to very many others, are given up.
constexpr int kDepth = 16;
constexpr int kSteps = 256;

bool is_none(const Definition& definition, std::string_view text) {
  return definition.kind == Definition::Kind::value && text == "None";
}

}  // namespace

// Counts the steps of one question.
class Values::Step {
 public:
  explicit Step(const Values& values) : values_(values) {
    if (values_.depth_++ == 0) values_.steps_ = 0;
    ++values_.steps_;
  }
  ~Step() { --values_.depth_; }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  bool too_many() const { return values_.depth_ > kDepth || values_.steps_ > kSteps; }

 private:
  const Values& values_;
};

Values::Values(std::string_view source, Scopes& scopes, const Node& file) : source_(source), scopes_(scopes) {
  own(scopes.module());
  walk(scopes_, file, scopes.module(), [&](const Node& node, const Scope& scope) {
    define(node, scope);
    return true;
  });
}

void Values::own(const Scope& scope) {
  for (const auto& [text, name] : scope.names) owners_.emplace(&name, &scope);
  for (const Scope* inner : scope.children) own(*inner);
}

const Scope* Values::owner(const Name& name) const {
  const auto found = owners_.find(&name);
  return found == owners_.end() ? nullptr : found->second;
}

const std::vector<Definition>* Values::definitions(const Name& name) const {
  const auto found = definitions_.find(&name);
  const bool complete = found != definitions_.end() && found->second.size() == name.bindings;
  return complete ? &found->second : nullptr;
}

const LocalClass* Values::class_at(std::string_view path) const {
  if (path.ends_with("()")) path.remove_suffix(2);
  if (!path.starts_with(':') || path.find_first_not_of("0123456789", 1) != std::string_view::npos) {
    return nullptr;
  }
  const auto found = classes_.find(static_cast<uint32_t>(std::stoul(std::string(path.substr(1)))));
  return found == classes_.end() ? nullptr : &found->second;
}

const Node* Values::function_at(std::string_view path) const {
  if (!path.starts_with('@') || path.find_first_not_of("0123456789", 1) != std::string_view::npos) {
    return nullptr;
  }
  const auto found = functions_.find(static_cast<uint32_t>(std::stoul(std::string(path.substr(1)))));
  return found == functions_.end() ? nullptr : found->second;
}

bool Values::is_transactional(const LocalClass& local) const {
  const Step step(*this);
  return !step.too_many() && std::any_of(local.bases.begin(), local.bases.end(), [&](const auto& base) {
    const std::string path = path_of(*base.first, *base.second);
    const LocalClass* known = class_at(path);
    return path == "stmpy.STMObject" || (known != nullptr && is_transactional(*known));
  });
}

bool Values::is_plain(const LocalClass& local) const {
  const Step step(*this);
  const bool has_plain_bases = std::all_of(local.bases.begin(), local.bases.end(), [&](const auto& base) {
    const std::string path = path_of(*base.first, *base.second);
    const LocalClass* known = class_at(path);
    return path == "builtins.object" || (known != nullptr && is_plain(*known));
  });
  const bool is_mixed_in = std::any_of(classes_.begin(), classes_.end(), [&](const auto& other) {
    return derives(other.second, local) && is_transactional(other.second);
  });
  return !step.too_many() && has_plain_bases && !is_mixed_in;
}

bool Values::derives(const LocalClass& local, const LocalClass& other) const {
  const Step step(*this);
  return !step.too_many() && std::any_of(local.bases.begin(), local.bases.end(), [&](const auto& base) {
    const LocalClass* known = class_at(path_of(*base.first, *base.second));
    return known != nullptr && (known == &other || derives(*known, other));
  });
}

std::string Values::attribute_anywhere(std::string_view name) const {
  std::vector<Definition> all;
  for (const auto& [at, local] : classes_) {
    const auto found = local.attributes.find(name);
    if (found == local.attributes.end()) continue;
    if (!is_transactional(local)) return {};
    all.insert(all.end(), found->second.begin(), found->second.end());
  }
  return agreed(all);
}

std::string Values::path_of(const Node& expression, const Scope& scope) const {
  const Node* primary = sole_primary(expression);
  return primary == nullptr ? std::string() : path_of_prefix(*primary, primary->children.size(), scope);
}

std::string Values::path_of_definition(const Definition& definition) const {
  if (definition.kind == Definition::Kind::path) return definition.path;
  if (definition.kind == Definition::Kind::value) return path_of(*definition.node, *definition.scope);
  // An annotation: `list[int]` is a list.
  const Node* primary = sole_primary(*definition.node);
  if (primary == nullptr) return {};
  size_t count = primary->children.size();
  if (count > 3 && token_type(*primary->children.back()) == Rules::CLOSE_BRACKET) count -= 3;
  const std::string path = path_of_prefix(*primary, count, *definition.scope);
  return path.empty() || path.ends_with("()") ? std::string() : path + "()";
}

std::string Values::agreed(const std::vector<Definition>& definitions) const {
  std::string path;
  for (const Definition& definition : definitions) {
    if (definition.node != nullptr && is_none(definition, text(*definition.node))) continue;
    const std::string other = path_of_definition(definition);
    if (other.empty() || (!path.empty() && other != path)) return {};
    path = other;
  }
  return path;
}

std::string Values::path_of_name(const Token& token, const Scope& scope) const {
  const Name& name = scopes_.resolve(scope, text(token));
  switch (name.meaning) {
    case Meaning::nothing:
      return std::string("builtins.").append(text(token));
    case Meaning::stmpy_module:
      return "stmpy";
    case Meaning::atomic:
      return "stmpy.atomic";
    case Meaning::atomically:
      return "stmpy.atomically";
    case Meaning::compiled:
      return "stmpy.compiled";
    case Meaning::invariant:
      return "stmpy.invariant";
    default:
      break;
  }
  const std::vector<Definition>* known = definitions(name);
  return known == nullptr ? std::string() : agreed(*known);
}

std::string Values::path_of_atom(const Node& primary, const Scope& scope) const {
  const Node& atom = *primary.children.front();
  const Node* elements = primary.children.size() > 1 && rule_of(*primary.children[1]) == Rules::RuleElements
                             ? primary.children[1]
                             : nullptr;
  const bool generates = elements != nullptr && child_rule(*elements, Rules::RuleComprehension) != nullptr;
  switch (token_type(atom)) {
    case Rules::NAME:
      return path_of_name(*token_of(atom), scope);
    case Rules::OPEN_BRACKET:
      return "builtins.list()";
    case Rules::OPEN_BRACE:
      return elements == nullptr || child_token(*elements, Rules::COLON) != nullptr ||
                     text(*elements).starts_with("**")
                 ? "builtins.dict()"
                 : "builtins.set()";
    case Rules::OPEN_PAREN:
      if (generates) return "builtins.generator()";
      return elements != nullptr && elements->children.size() == 1 ? path_of(*elements->children[0], scope)
                                                                   : std::string();
    default:
      return {};
  }
}

std::string Values::path_of_prefix(const Node& primary, size_t count, const Scope& scope) const {
  const Step step(*this);
  if (step.too_many()) return {};
  const auto& children = primary.children;
  std::string path = path_of_atom(primary, scope);
  const bool brackets = token_type(*children[0]) == Rules::OPEN_PAREN ||
                        token_type(*children[0]) == Rules::OPEN_BRACKET ||
                        token_type(*children[0]) == Rules::OPEN_BRACE;
  size_t i = 1;
  if (brackets) i = rule_of(*children[1]) == kNoRule ? 2 : 3;
  while (i < count && !path.empty()) {
    if (token_type(*children[i]) == Rules::DOT) {
      const std::string_view name = text(*token_of(*children[i + 1]));
      const LocalClass* local = class_at(path);
      const bool of_instance = path.ends_with("()");
      if (name == "__class__" && of_instance) {
        path.resize(path.size() - 2);
      } else if (local != nullptr) {
        path = attribute(*local, name, of_instance);
      } else {
        path.append(".").append(name);
      }
      i += 2;
    } else if (token_type(*children[i]) == Rules::OPEN_PAREN) {
      const Node* arguments = rule_of(*children[i + 1]) == Rules::RuleElements ? children[i + 1] : nullptr;
      if (path == "builtins.type" && arguments != nullptr && arguments->children.size() == 1) {
        path = path_of(*arguments->children[0], scope);
        path = path.ends_with("()") ? path.substr(0, path.size() - 2) : std::string();
      } else {
        path += "()";
      }
      i += arguments == nullptr ? 2 : 3;
    } else {
      return {};
    }
  }
  return path;
}

// Looked up in the class and those of its bases that are known.
std::string Values::attribute(const LocalClass& local, std::string_view name, bool of_instance) const {
  if (const auto found = local.attributes.find(name); found != local.attributes.end()) {
    return agreed(found->second);
  }
  const auto& names = scopes_.of(*local.node).names;
  if (const auto found = names.find(name); found != names.end()) {
    const std::vector<Definition>* known = definitions(found->second);
    return known == nullptr ? std::string() : agreed(*known);
  }
  std::string path;
  for (const auto& [base, scope] : local.bases) {
    const std::string known = path_of(*base, *scope);
    if (known.empty()) break;
    if (const LocalClass* other = class_at(known)) {
      path = attribute(*other, name, of_instance);
    } else if (known != "stmpy.STMObject") {
      path = known + (of_instance ? "()." : ".") + std::string(name);
    }
    if (!path.empty()) break;
  }
  return path;
}

}  // namespace stmpy::compiler
