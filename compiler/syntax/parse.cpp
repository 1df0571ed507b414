#include "syntax/parse.h"

#include <DefaultErrorStrategy.h>

#include <utility>

#include "diagnostics/diagnostic.h"
#include "syntax/deep_stack.h"

namespace stmpy::compiler {

using grammar::PythonParser;

namespace {

[[noreturn]] void refuse(antlr4::Parser& parser) {
  const auto& token = static_cast<const Token&>(*parser.getCurrentToken());
  throw Refusal(rules::unknown_syntax, token.start(), "the compiler does not understand this");
}

// The first token that fits nowhere ends the parse: a wrong guess at what was meant would be compiled.
class RefuseErrors final : public antlr4::DefaultErrorStrategy {
 public:
  void reportError(antlr4::Parser*, const antlr4::RecognitionException&) override {}
  void recover(antlr4::Parser* parser, std::exception_ptr) override { refuse(*parser); }
  antlr4::Token* recoverInline(antlr4::Parser* parser) override { refuse(*parser); }
  void sync(antlr4::Parser*) override {}
};

class BoundedParser final : public PythonParser {
 public:
  using PythonParser::PythonParser;

  void enterRule(antlr4::ParserRuleContext* context, size_t state, size_t rule) override {
    if (deep_stack_used() > kParserStack) {
      const auto& token = static_cast<const Token&>(*getCurrentToken());
      throw Refusal(rules::nested_too_deep, token.start(), "expressions are nested too deep");
    }
    PythonParser::enterRule(context, state, rule);
  }
};

}  // namespace

SyntaxTree::SyntaxTree(std::vector<Token> tokens)
    : tokens_(std::move(tokens)), parser_(std::make_unique<BoundedParser>(&tokens_)) {
  parser_->removeErrorListeners();
  parser_->setErrorHandler(std::make_shared<RefuseErrors>());
  file_ = parser_->file();
}

}  // namespace stmpy::compiler
