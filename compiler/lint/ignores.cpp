#include "lint/ignores.h"

#include <algorithm>
#include <optional>

#include "PythonLexer.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

constexpr std::string_view kMark = "stmpy:";

std::string_view trimmed(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

// Reads what begins with `#`. Text behind the codes is the reader's.
std::optional<Ignore> read_from(std::string_view comment, uint32_t offset) {
  const std::string_view all = comment;
  comment = trimmed(comment.substr(std::min(comment.find_first_not_of('#'), comment.size())));
  if (!comment.starts_with(kMark)) return std::nullopt;
  comment = trimmed(comment.substr(kMark.size()));
  if (!comment.starts_with("ignore")) return std::nullopt;
  comment.remove_prefix(6);
  Ignore ignore{offset, offset + static_cast<uint32_t>(all.size()), false, 0, 0, {}};
  if (comment.starts_with("-file")) {
    ignore.whole_file = true;
    comment.remove_prefix(5);
  }
  if (!comment.starts_with('[')) {
    const bool ends = comment.empty() || comment[0] == ' ' || comment[0] == '\t' || comment[0] == '#';
    return ends ? std::optional(ignore) : std::nullopt;
  }
  comment = comment.substr(1, comment.find(']') - 1);
  while (!comment.empty()) {
    const size_t comma = std::min(comment.find(','), comment.size());
    if (const std::string_view code = trimmed(comment.substr(0, comma)); !code.empty()) {
      ignore.codes.emplace_back(code);
    }
    comment.remove_prefix(std::min(comma + 1, comment.size()));
  }
  return ignore;
}

// Reads a comment, in which others can stand before ours: `# noqa  # stmpy: ignore`.
std::optional<Ignore> read(std::string_view comment, uint32_t offset) {
  for (size_t hash = 0; hash != std::string_view::npos; hash = comment.find('#', hash + 1)) {
    if (hash > 0 && comment[hash - 1] != ' ' && comment[hash - 1] != '\t') continue;
    auto found = read_from(comment.substr(hash), offset + static_cast<uint32_t>(hash));
    if (found.has_value()) return found;
  }
  return std::nullopt;
}

bool is_layout(size_t type) { return type == PythonLexer::INDENT || type == PythonLexer::DEDENT; }

}  // namespace

std::vector<Ignore> find_ignores(std::string_view source, const std::vector<Token>& tokens) {
  std::vector<Ignore> ignores;
  uint32_t line_start = 0;  // of the logical line that the words seen last are part of
  uint32_t line_end = 0;
  bool in_line = false;
  size_t pending = 0;  // comments of that line whose end is not known yet
  const auto read_gap = [&](uint32_t from, uint32_t to) {
    while (from < to) {
      const size_t hash = source.find('#', from);
      if (hash >= to) return;
      const size_t line_break = std::min(source.find_first_of("\r\n", hash), static_cast<size_t>(to));
      if (auto ignore = read(source.substr(hash, line_break - hash), static_cast<uint32_t>(hash))) {
        if (in_line) {
          ignore->line_start = line_start;
          ++pending;
        }
        ignores.push_back(std::move(*ignore));
      }
      from = static_cast<uint32_t>(line_break);
    }
  };
  uint32_t end = 0;
  for (const Token& token : tokens) {
    const size_t type = token.getType();
    if (is_layout(type)) continue;
    read_gap(end, token.start());
    end = token.end();
    if (type == PythonLexer::NEWLINE) {
      for (; pending > 0; --pending) ignores[ignores.size() - pending].line_end = token.start();
      in_line = false;
    } else if (!in_line) {
      in_line = true;
      line_start = token.start();
    }
    line_end = token.end();
  }
  for (; pending > 0; --pending) ignores[ignores.size() - pending].line_end = line_end;
  return ignores;
}

}  // namespace stmpy::compiler
