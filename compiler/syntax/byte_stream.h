// A source as ANTLR's lexer sees it: one symbol for each byte of its UTF-8 text.

#pragma once

#include <CharStream.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stmpy::compiler {

// Every byte outside of ASCII is shown as this one, which the grammar takes as a part of names.
inline constexpr uint8_t kNonAscii = 0x7f;

inline uint8_t lexer_symbol(char byte) {
  const auto value = static_cast<uint8_t>(byte);
  return value < 0x80 ? value : kNonAscii;
}

// Does not own the text.
class ByteStream final : public antlr4::CharStream {
 public:
  explicit ByteStream(std::string_view text) : text_(text) {}

  void consume() override { ++index_; }
  size_t LA(ssize_t distance) override;
  ssize_t mark() override { return 0; }
  void release(ssize_t) override {}
  size_t index() override { return index_; }
  void seek(size_t index) override { index_ = index; }
  size_t size() override { return text_.size(); }
  std::string getSourceName() const override { return "source"; }
  std::string getText(const antlr4::misc::Interval& interval) override;
  std::string toString() const override { return std::string(text_); }

 private:
  std::string_view text_;
  size_t index_ = 0;
};

}  // namespace stmpy::compiler
