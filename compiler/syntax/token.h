// The words of a source, as the parser and everything above it sees them.

#pragma once

#include <Token.h>
#include <TokenStream.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stmpy::compiler {

// A range of the source's bytes with the type that PythonLexer gives it. INDENT, DEDENT and the NEWLINE at an
// end of file that has none are empty ranges. Much smaller than ANTLR's own token: a file has a word for each
// five of its bytes.
class Token final : public antlr4::Token {
 public:
  Token(size_t type, uint32_t start, uint32_t end) : type_(type), start_(start), end_(end) {}

  uint32_t start() const { return start_; }
  uint32_t end() const { return end_; }
  std::string_view text(std::string_view source) const { return source.substr(start_, end_ - start_); }

  // The soft keywords are known only after the words behind them.
  void set_type(size_t type) { type_ = type; }
  void set_index(size_t index) { index_ = static_cast<uint32_t>(index); }

  size_t getType() const override { return type_; }
  size_t getStartIndex() const override { return start_; }
  size_t getStopIndex() const override { return static_cast<size_t>(end_) - 1; }
  size_t getTokenIndex() const override { return index_; }
  size_t getChannel() const override { return DEFAULT_CHANNEL; }

  // Asked for by ANTLR's own messages alone, which nobody reads: ours are made from offsets.
  std::string getText() const override { return {}; }
  size_t getLine() const override { return 0; }
  size_t getCharPositionInLine() const override { return 0; }
  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  antlr4::CharStream* getInputStream() const override { return nullptr; }
  std::string toString() const override { return {}; }

 private:
  size_t type_;
  uint32_t start_;
  uint32_t end_;
  uint32_t index_ = 0;
};

// The words given to a parser; the last one is EOF. Owns them: the parse tree points into it.
class TokenList final : public antlr4::TokenStream {
 public:
  explicit TokenList(std::vector<Token> tokens);

  void consume() override { ++index_; }
  size_t LA(ssize_t distance) override { return LT(distance)->getType(); }
  antlr4::Token* LT(ssize_t distance) override;
  ssize_t mark() override { return 0; }
  void release(ssize_t) override {}
  size_t index() override { return index_; }
  void seek(size_t index) override { index_ = index; }
  size_t size() override { return tokens_.size(); }
  std::string getSourceName() const override { return "source"; }
  antlr4::Token* get(size_t index) const override { return const_cast<Token*>(&tokens_[index]); }
  antlr4::TokenSource* getTokenSource() const override { return nullptr; }
  std::string getText(const antlr4::misc::Interval&) override { return {}; }
  std::string getText() override { return {}; }
  std::string getText(antlr4::RuleContext*) override { return {}; }
  std::string getText(antlr4::Token*, antlr4::Token*) override { return {}; }

 private:
  std::vector<Token> tokens_;
  size_t index_ = 0;
};

}  // namespace stmpy::compiler
