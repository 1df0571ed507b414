#include "compile.h"

#include <utility>

#include "analysis/accesses.h"
#include "analysis/atomic_code.h"
#include "analysis/guards.h"
#include "analysis/plan.h"
#include "analysis/scopes.h"
#include "rewrite/accesses.h"
#include "rewrite/barriers.h"
#include "rewrite/clearings.h"
#include "rewrite/guards.h"
#include "rewrite/prologue.h"
#include "rewrite/statements.h"
#include "syntax/antlr_lock.h"
#include "syntax/deep_stack.h"
#include "syntax/indentation.h"
#include "syntax/parse.h"
#include "syntax/selection.h"
#include "text/edits.h"

namespace stmpy::compiler {

namespace {

std::vector<FunctionReport> describe(std::string_view source, const LineTable& lines,
                                     const std::vector<CompiledFunction>& functions) {
  std::vector<FunctionReport> report;
  for (const CompiledFunction& function : functions) {
    FunctionReport entry{
        function.name, lines.position(start_of(*function.definition)).line, function.reason, {}};
    for (const Access& access : function.accesses) {
      std::optional<Position> of;
      if (access.of != kNoAccess) of = lines.position(function.accesses[access.of].base_start);
      entry.accesses.push_back({lines.position(access.base_start), access, barrier_of(source, access), of});
    }
    report.push_back(std::move(entry));
  }
  return report;
}

// What is compiled of a module outside of functions does not have the accesses of its blocks, which have
// entries of their own; and without any it is no entry.
void leave_out_blocks(const Node& file, std::vector<CompiledFunction>& functions) {
  if (functions.empty() || functions.back().definition != &file) return;
  std::vector<Access>& outside = functions.back().accesses;
  for (const CompiledFunction& function : functions) {
    const Node& block = *function.definition;
    if (rule_of(block) != Rules::RuleWith_statement) continue;
    std::erase_if(outside, [&](const Access& access) {
      return start_of(block) <= access.base_start && access.base_start < end_of(block);
    });
  }
  if (outside.empty()) functions.pop_back();
}

CompileResult rewrite(std::string_view source, const LineTable& lines, const CompileOptions& options) {
  // syntax
  std::vector<Token> tokens;
  std::unique_ptr<SyntaxTree> tree;
  {
    const AntlrLock lock;
    tokens = tokenize(source);
    tree = std::make_unique<SyntaxTree>(options.compile_all ? tokens : select_statements(source, tokens));
  }

  // analysis
  Scopes scopes(source, tree->file());
  AtomicCode code = find_atomic_code(source, lines, tree->file(), scopes, options.compile_all);
  Guards guards;
  for (CompiledFunction& function : code.functions) {
    collect_accesses(source, tree->tokens(), scopes, function);
    if (function.definition == &tree->file()) continue;
    collect_guards(source, scopes, *function.scope, *function.definition->children.back(), guards);
  }
  leave_out_blocks(tree->file(), code.functions);
  for (CompiledFunction& function : code.functions)
    plan_accesses(source, tree->tokens(), function, options.holds);

  // rewriting
  BarrierNames names(source, tokens);
  Edits edits;
  Unit unit{source, lines, tree->tokens(), names, edits};
  // Where several change one place, each goes around what the next ones make of it.
  rewrite_statements(unit, code.blocks, guards);
  rewrite_guards(unit, guards);
  for (const CompiledFunction& function : code.functions) {
    insert_clearings_in_front(source, function.clearings, names, edits);
    rewrite_accesses(source, lines, function.accesses, names, edits);
    insert_clearings_behind(function.clearings, names, edits);
    if (function.is_inner_block) {
      const Token& name = *token_of(*function.definition->children[1]);
      edits.replace(name.start(), name.end(), names.block(), {name.start(), name.end(), name.start()});
    }
  }
  const bool changed = !edits.empty();
  if (changed) {
    const uint32_t at = prologue_offset(source, tokens);
    edits.insert(at, names.prologue(), {at, at, at});
  }
  Edits::Result result = std::move(edits).apply(source, lines);
  StaticAttributes static_attributes = find_static_attributes(source, lines, code.functions);
  return {std::move(result.text),
          changed,
          std::move(result.map),
          std::move(code.diagnostics),
          describe(source, lines, code.functions),
          std::move(static_attributes)};
}

CompileResult unchanged(std::string_view source, const LineTable& lines, const Refusal& refusal) {
  Edits::Result same = Edits().apply(source, lines);
  return {std::move(same.text),
          false,
          std::move(same.map),
          {{&refusal.rule(), lines.position(refusal.offset()), refusal.what()}},
          {},
          {}};
}

}  // namespace

CompileResult compile(std::string_view source, const CompileOptions& options) {
  const LineTable lines(source);
  try {
    if (const size_t null = source.find('\0'); null != std::string_view::npos) {
      throw Refusal(rules::unreadable_text, static_cast<uint32_t>(null), "the source contains a null byte");
    }
    std::unique_ptr<CompileResult> result;
    run_on_deep_stack([&] { result = std::make_unique<CompileResult>(rewrite(source, lines, options)); });
    return std::move(*result);
  } catch (const Refusal& refusal) {
    return unchanged(source, lines, refusal);
  }
}

}  // namespace stmpy::compiler
