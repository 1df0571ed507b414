#include "lint/check.h"

#include <algorithm>
#include <tuple>

namespace stmpy::compiler {

std::vector<Finding> Findings::sorted() && {
  const auto place = [](const Finding& finding) {
    return std::tuple(finding.start, finding.rule->code, finding.end);
  };
  std::stable_sort(found_.begin(), found_.end(),
                   [&](const Finding& a, const Finding& b) { return place(a) < place(b); });
  const auto end = std::unique(found_.begin(), found_.end(),
                               [&](const Finding& a, const Finding& b) { return place(a) == place(b); });
  found_.erase(end, found_.end());
  return std::move(found_);
}

bool Place::binds(const Token& token) const {
  const Name& name = values.scopes().resolve(scope, text(token));
  const Scope* owner = values.owner(name);
  if (owner == nullptr || owner->kind == Scope::Kind::module) {
    if (!region.is_block || owner == nullptr) return false;
  } else if (owner->node != nullptr && owner->node != region.whole &&
             region.contains(start_of(*owner->node))) {
    return true;
  } else if (owner == region.scope && !region.is_block) {
    return true;
  }
  const std::vector<Definition>* known = values.definitions(name);
  return known != nullptr && std::all_of(known->begin(), known->end(), [&](const Definition& definition) {
           return region.contains(definition.at);
         });
}

bool Place::made_here(const Node& primary) const {
  const Token* root = token_of(*primary.children.front());
  if (root == nullptr || root->getType() != Rules::NAME || !binds(*root)) return false;
  const Name& name = values.scopes().resolve(scope, text(*root));
  const std::vector<Definition>* known = name.parameter ? nullptr : values.definitions(name);
  return known != nullptr && std::all_of(known->begin(), known->end(), [&](const Definition& definition) {
           return definition.kind == Definition::Kind::value && region.contains(start_of(*definition.node)) &&
                  values.path_of(*definition.node, *definition.scope).ends_with("()") &&
                  text(*definition.node).find_first_of("([{") != std::string_view::npos;
         });
}

bool Place::is_given(const Node& primary) const {
  const Token* root = token_of(*primary.children.front());
  if (root == nullptr || root->getType() != Rules::NAME) return false;
  const Name& name = values.scopes().resolve(scope, text(*root));
  const Scope* owner = values.owner(name);
  if (!name.parameter || (owner->node == region.whole && !region.is_called())) return false;
  // The object of a method is what the transaction works on.
  return values.class_at(values.path_of_prefix(primary, 1, scope)) == nullptr ||
         owner->parent->kind != Scope::Kind::class_body;
}

bool Place::is_plain_object(const Node& primary, const LocalClass& local) const {
  // Mixins are made to be put beside STMObject, in whatever module.
  if (text(*local.node->children[1]).ends_with("Mixin") || !values.is_plain(local)) return false;
  return !made_here(primary) && !is_given(primary) && !is_initialiser();
}

bool Place::is_initialiser() const {
  if (rule_of(*region.whole) != Rules::RuleFunction_definition) return false;
  const std::string_view name = text(*region.whole->children[1]);
  return name == "__init__" || name == "__post_init__" || name == "__setstate__";
}

namespace {

void collect(const Node& node, Target::Kind kind, std::vector<Target>& found) {
  if (token_of(node) != nullptr) return;
  if (rule_of(node) != Rules::RulePrimary) {
    for (const Node* child : node.children) collect(*child, kind, found);
    return;
  }
  const size_t opening = token_type(*node.children[0]);
  const bool is_group = node.children.size() == 3 && rule_of(*node.children[1]) == Rules::RuleElements &&
                        (opening == Rules::OPEN_PAREN || opening == Rules::OPEN_BRACKET);
  if (is_group) return collect(*node.children[1], kind, found);
  found.push_back({&node, kind});
}

}  // namespace

std::vector<Target> targets_of(const Node& node) {
  std::vector<Target> found;
  const auto& children = node.children;
  switch (rule_of(node)) {
    case Rules::RuleExpression_statement:
      if (children.size() < 3) break;
      if (token_type(*children[1]) == Rules::AUGMENTED) {
        collect(*children[0], Target::Kind::update, found);
      } else if (token_type(*children[1]) == Rules::COLON) {
        if (children.size() > 3) collect(*children[0], Target::Kind::store, found);
      } else {
        for (size_t i = 0; i + 1 < children.size(); ++i) collect(*children[i], Target::Kind::store, found);
      }
      break;
    case Rules::RuleExpression:
      if (child_token(node, Rules::WALRUS) != nullptr) collect(*children[0], Target::Kind::store, found);
      break;
    case Rules::RuleDel_statement:
      collect(*children[1], Target::Kind::remove, found);
      break;
    case Rules::RuleTargets:
      collect(node, Target::Kind::store, found);
      break;
    case Rules::RuleWith_item:
    case Rules::RuleElements:
      for (size_t i = 0; i + 1 < children.size(); ++i) {
        if (token_type(*children[i]) == Rules::AS) collect(*children[i + 1], Target::Kind::store, found);
      }
      break;
    default:
      break;
  }
  return found;
}

std::vector<Call> calls_in(const Node& primary) {
  std::vector<Call> calls;
  const auto& children = primary.children;
  for (size_t i = 1; i < children.size(); ++i) {
    if (token_type(*children[i]) != Rules::OPEN_PAREN) continue;
    const bool empty = rule_of(*children[i + 1]) != Rules::RuleElements;
    calls.push_back({i, empty ? nullptr : children[i + 1], end_of(*children[empty ? i + 1 : i + 2])});
  }
  return calls;
}

const Node* keyword_argument(const Place& place, const Call& call, std::string_view keyword) {
  if (call.arguments == nullptr) return nullptr;
  const auto& children = call.arguments->children;
  for (size_t i = 0; i + 2 < children.size(); ++i) {
    const Token* name = sole_name(*children[i]);
    if (name != nullptr && place.text(*name) == keyword && token_type(*children[i + 1]) == Rules::EQUAL) {
      return children[i + 2];
    }
  }
  return nullptr;
}

}  // namespace stmpy::compiler
