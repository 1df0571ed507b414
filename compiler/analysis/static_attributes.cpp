#include "analysis/static_attributes.h"

namespace stmpy::compiler {

namespace {

const Scope* class_around(const Scope* scope) {
  while (scope != nullptr && scope->kind != Scope::Kind::class_body) scope = scope->parent;
  return scope;
}

bool is_store_on_self(std::string_view source, const Access& access) {
  if (access.kind != AccessKind::store || access.form == Form::plain) return false;  // Python sees it
  std::string_view base = source.substr(access.base_start, access.dot - access.base_start);
  base.remove_suffix(base.size() - 1 - base.find_last_not_of(") \t\f"));
  base.remove_prefix(base.find_first_not_of("( \t\f"));
  return base == "self";
}

uint32_t first_line(const LineTable& lines, const Node& definition) {
  const bool decorated = rule_of(*definition.parent) == Rules::RuleDecorated;
  return lines.position(start_of(decorated ? *definition.parent : definition)).line;
}

}  // namespace

StaticAttributes find_static_attributes(std::string_view source, const LineTable& lines,
                                        const std::vector<CompiledFunction>& functions) {
  StaticAttributes found;
  for (const CompiledFunction& function : functions) {
    const Scope* scope = class_around(function.scope);
    if (scope == nullptr) continue;
    for (const Access& access : function.accesses) {
      if (!is_store_on_self(source, access)) continue;
      const std::string_view name = source.substr(access.name_start, access.name_end - access.name_start);
      found[first_line(lines, *scope->node)].insert(name);
    }
  }
  return found;
}

}  // namespace stmpy::compiler
