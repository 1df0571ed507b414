#include "rewrite/barriers.h"

#include <algorithm>

#include "PythonLexer.h"

namespace stmpy::compiler {

namespace {

struct InPlace {
  std::string_view augmented;
  std::string_view barrier;
};

constexpr InPlace kInPlace[] = {
    {"+=", "iadd"},     {"-=", "isub"},     {"*=", "imul"},    {"/=", "itruediv"}, {"//=", "ifloordiv"},
    {"%=", "imod"},     {"**=", "ipow"},    {"&=", "iand"},    {"|=", "ior"},      {"^=", "ixor"},
    {"<<=", "ilshift"}, {">>=", "irshift"}, {"@=", "imatmul"},
};

// Of an augmented assignment's operator (`+=`).
std::string_view in_place_barrier(std::string_view augmented) {
  for (const InPlace& known : kInPlace) {
    if (known.augmented == augmented) return known.barrier;
  }
  return {};
}

bool is_prefix_of_a_name(std::string_view prefix, std::string_view source, const std::vector<Token>& tokens) {
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.getType() == grammar::PythonLexer::NAME && token.text(source).starts_with(prefix);
  });
}

}  // namespace

std::string_view barrier_of(std::string_view source, const Access& access) {
  switch (access.form) {
    case Form::plain:
    case Form::reuse:
      return {};
    case Form::load:
      return access.mode == Mode::write ? "load_write" : "load_update";
    case Form::in_place:
      return in_place_barrier(
          source.substr(access.operator_start, access.operator_end - access.operator_start));
    case Form::open:
    case Form::keep:
    case Form::first_turn:
      return access.mode == Mode::write    ? "open_write"
             : access.mode == Mode::update ? "open_update"
                                           : "open_read";
  }
  return {};
}

BarrierNames::BarrierNames(std::string_view source, const std::vector<Token>& tokens) : prefix_("_stm_") {
  for (int i = 1; is_prefix_of_a_name(prefix_, source, tokens); ++i)
    prefix_ = "_stm" + std::to_string(i) + "_";
}

std::string BarrierNames::use(std::string_view barrier) {
  used_.emplace(barrier);
  return prefix_ + std::string(barrier);
}

std::string BarrierNames::prologue() const {
  std::string line = "from " + std::string(kBarrierModule) + " import " + std::string(kBarrierAbi) + " as " +
                     prefix_ + "abi";
  for (const std::string& barrier : used_) line += ", " + barrier + " as " + prefix_ + barrier;
  return line + "\n";
}

}  // namespace stmpy::compiler
