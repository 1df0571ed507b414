#include "syntax/scanner.h"

#include "diagnostics/diagnostic.h"

namespace stmpy::compiler {

using grammar::PythonLexer;

namespace {

// CPython's own limit for brackets; formatted strings count with them here.
constexpr size_t kDeepestNesting = 200;

constexpr size_t kCode = 0;  // ANTLR's default mode

}  // namespace

Token Scanner::next() {
  while (offset_ < source_.size()) {
    const uint32_t start = offset_;
    const Word word = classify(automaton_.match(mode(), start), start);
    offset_ = word.end;
    if (word.type == antlr4::Lexer::SKIP) continue;
    if (word.type == PythonLexer::NEWLINE && in_brackets()) continue;
    return Token(word.type, start, word.end);
  }
  return Token(antlr4::Token::EOF, offset_, offset_);
}

size_t Scanner::mode() const {
  if (nesting_.empty()) return kCode;
  const Level& level = nesting_.back();
  if (level.nest == Nest::string) return level.text_mode;
  return level.nest == Nest::format ? level.format_mode : kCode;
}

// The word as it is in this context, with what it opens or closes.
Word Scanner::classify(Word word, uint32_t start) {
  switch (word.type) {
    case PythonLexer::FSTRING_START:
      open_string(source_.substr(start, word.end - start));
      break;
    case PythonLexer::FSTRING_END:
      nesting_.pop_back();
      break;
    case PythonLexer::FSTRING_NAMED:
      // In a raw string `\N` is text, and what follows is a replacement field.
      if (nesting_.back().raw) return {PythonLexer::FSTRING_MIDDLE, start + 2};
      break;
    case PythonLexer::OPEN_PAREN:
      open(')', start);
      break;
    case PythonLexer::OPEN_BRACKET:
      open(']', start);
      break;
    case PythonLexer::OPEN_BRACE:
      open('}', start);
      break;
    case PythonLexer::CLOSE_PAREN:
    case PythonLexer::CLOSE_BRACKET:
    case PythonLexer::CLOSE_BRACE:
      close(start);
      break;
    case PythonLexer::COLON:
    case PythonLexer::WALRUS:
      if (in_brackets() && nesting_.back().nest == Nest::replacement) {
        nesting_.back().nest = Nest::format;
        return {PythonLexer::COLON, start + 1};
      }
      break;
    default:
      break;
  }
  return word;
}

void Scanner::open_string(std::string_view start_text) {
  const size_t quotes = start_text.find_first_of("'\"");
  const bool is_long = start_text.size() - quotes == 3;
  const bool is_double = start_text.back() == '"';
  Level level{Nest::string, '\0', 0, 0,
              start_text.substr(0, quotes).find_first_of("rR") != std::string_view::npos};
  if (is_long) {
    level.text_mode = is_double ? PythonLexer::LONG_DOUBLE_TEXT : PythonLexer::LONG_SINGLE_TEXT;
    level.format_mode = PythonLexer::LONG_FORMAT;
  } else {
    level.text_mode = is_double ? PythonLexer::DOUBLE_TEXT : PythonLexer::SINGLE_TEXT;
    level.format_mode = is_double ? PythonLexer::DOUBLE_FORMAT : PythonLexer::SINGLE_FORMAT;
  }
  push(level, offset_);
}

void Scanner::open(char closing, uint32_t offset) {
  Level level{Nest::bracket, closing, 0, 0, false};
  if (mode() != kCode) {
    level = nesting_.back();
    level.nest = Nest::replacement;
    level.closing = closing;
  }
  push(level, offset);
}

void Scanner::close(uint32_t offset) {
  if (!in_brackets() || nesting_.back().closing != source_[offset]) {
    throw Refusal(rules::unknown_syntax, offset, "this bracket closes none");
  }
  nesting_.pop_back();
}

void Scanner::push(const Level& level, uint32_t offset) {
  if (nesting_.size() >= kDeepestNesting) {
    throw Refusal(rules::nested_too_deep, offset, "brackets are nested more than 200 deep");
  }
  nesting_.push_back(level);
}

}  // namespace stmpy::compiler
