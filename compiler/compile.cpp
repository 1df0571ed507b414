#include "compile.h"

#include <utility>

#include "analysis/accesses.h"
#include "analysis/atomic_code.h"
#include "analysis/scopes.h"
#include "rewrite/accesses.h"
#include "rewrite/barriers.h"
#include "rewrite/blocks.h"
#include "rewrite/prologue.h"
#include "syntax/antlr_lock.h"
#include "syntax/deep_stack.h"
#include "syntax/indentation.h"
#include "syntax/parse.h"
#include "syntax/selection.h"
#include "text/edits.h"

namespace stmpy::compiler {

namespace {

std::vector<FunctionReport> describe(const LineTable& lines, std::vector<CompiledFunction> functions) {
  std::vector<FunctionReport> report;
  for (CompiledFunction& function : functions) {
    FunctionReport entry{
        function.name, lines.position(start_of(*function.definition)).line, function.reason, {}};
    for (Access& access : function.accesses) {
      entry.accesses.push_back({lines.position(access.base_start), std::move(access)});
    }
    report.push_back(std::move(entry));
  }
  return report;
}

CompileResult rewrite(std::string_view source, const LineTable& lines, bool compile_all) {
  // syntax
  std::vector<Token> tokens;
  std::unique_ptr<SyntaxTree> tree;
  {
    const AntlrLock lock;
    tokens = tokenize(source);
    tree = std::make_unique<SyntaxTree>(compile_all ? tokens : select_statements(source, tokens));
  }

  // analysis
  Scopes scopes(source, tree->file());
  AtomicCode code = find_atomic_code(source, lines, tree->file(), scopes, compile_all);
  for (CompiledFunction& function : code.functions)
    collect_accesses(source, tree->tokens(), scopes, function);
  std::erase_if(code.functions, [&](const CompiledFunction& function) {
    return function.definition == &tree->file() && function.accesses.empty();
  });

  // rewriting
  BarrierNames names(source, tokens);
  Edits edits;
  // Where both change one place, the blocks' lines go around what the accesses become.
  rewrite_blocks(source, lines, tree->tokens(), code.blocks, names, edits);
  for (const CompiledFunction& function : code.functions) {
    rewrite_accesses(source, lines, function.accesses, names, edits);
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
          describe(lines, std::move(code.functions)),
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

CompileResult compile(std::string_view source, bool compile_all) {
  const LineTable lines(source);
  try {
    if (const size_t null = source.find('\0'); null != std::string_view::npos) {
      throw Refusal(rules::unreadable_text, static_cast<uint32_t>(null), "the source contains a null byte");
    }
    std::unique_ptr<CompileResult> result;
    run_on_deep_stack([&] { result = std::make_unique<CompileResult>(rewrite(source, lines, compile_all)); });
    return std::move(*result);
  } catch (const Refusal& refusal) {
    return unchanged(source, lines, refusal);
  }
}

}  // namespace stmpy::compiler
