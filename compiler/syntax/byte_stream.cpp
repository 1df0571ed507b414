#include "syntax/byte_stream.h"

#include <misc/Interval.h>

namespace stmpy::compiler {

size_t ByteStream::LA(ssize_t distance) {
  // ANTLR counts from 1 ahead and from -1 back.
  const ssize_t at = static_cast<ssize_t>(index_) + (distance > 0 ? distance - 1 : distance);
  if (at < 0 || at >= static_cast<ssize_t>(text_.size())) return IntStream::EOF;
  return lexer_symbol(text_[static_cast<size_t>(at)]);
}

std::string ByteStream::getText(const antlr4::misc::Interval& interval) {
  if (interval.a < 0 || interval.b < interval.a) return {};
  const auto start = static_cast<size_t>(interval.a);
  return std::string(text_.substr(start, static_cast<size_t>(interval.b) - start + 1));
}

}  // namespace stmpy::compiler
