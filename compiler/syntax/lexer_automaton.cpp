#include "syntax/lexer_automaton.h"

#include <atn/LexerActionExecutor.h>
#include <dfa/DFA.h>

namespace stmpy::compiler {

LexerAutomaton::LexerAutomaton(std::string_view source)
    : source_(source),
      stream_(source),
      lexer_(&stream_),
      simulator_(*lexer_.getInterpreter<antlr4::atn::LexerATNSimulator>()) {}

std::vector<LexerAutomaton::Mode>& LexerAutomaton::modes() {
  static std::vector<Mode> modes;
  return modes;
}

Word LexerAutomaton::match(size_t mode_number, uint32_t start) {
  if (mode_number >= modes().size()) modes().resize(mode_number + 1);
  Mode& mode = modes()[mode_number];
  if (mode.start == kUnknown) {
    const Word word = match_with_antlr(mode_number, start);
    mode.states.resize(2);
    mode.start = index_of(mode, simulator_._decisionToDFA[mode_number].s0);
    return word;
  }

  Word longest{0, start};
  uint16_t state = mode.start;
  for (uint32_t at = start; at < source_.size();) {
    const uint8_t symbol = lexer_symbol(source_[at]);
    uint16_t next = mode.states[state].next[symbol];
    if (next == kUnknown) {
      next = find_edge(mode, state, symbol);
      if (next == kUnknown) return match_with_antlr(mode_number, start);
    }
    if (next == kNone) break;
    state = next;
    ++at;
    if (const size_t accepted = mode.states[state].accepted; accepted != 0) longest = {accepted, at};
  }
  return longest;
}

Word LexerAutomaton::match_with_antlr(size_t mode, uint32_t start) {
  stream_.seek(start);
  lexer_.type = antlr4::Token::INVALID_TYPE;
  const size_t type = simulator_.match(&stream_, mode);
  return {lexer_.type == antlr4::Token::INVALID_TYPE ? type : lexer_.type,
          static_cast<uint32_t>(stream_.index())};
}

uint16_t LexerAutomaton::find_edge(Mode& mode, uint16_t from, uint8_t symbol) {
  const auto& edges = mode.states[from].antlr->edges;
  const auto edge = edges.find(symbol);
  if (edge == edges.end()) return kUnknown;
  const bool none = edge->second == antlr4::atn::ATNSimulator::ERROR.get();
  const uint16_t next = none ? kNone : index_of(mode, edge->second);
  mode.states[from].next[symbol] = next;
  return next;
}

uint16_t LexerAutomaton::index_of(Mode& mode, antlr4::dfa::DFAState* state) {
  const auto number = static_cast<size_t>(state->stateNumber);
  if (number >= mode.index_of.size()) mode.index_of.resize(number + 1, kUnknown);
  if (mode.index_of[number] != kUnknown) return mode.index_of[number];

  State copy{};
  copy.antlr = state;
  if (state->isAcceptState) {
    // The grammar's commands (`skip`, `type`) depend on nothing but the rule: what they do once they do
    // always.
    lexer_.type = state->prediction;
    if (state->lexerActionExecutor != nullptr) state->lexerActionExecutor->execute(&lexer_, &stream_, 0);
    copy.accepted = lexer_.type;
  }
  mode.states.push_back(copy);
  return mode.index_of[number] = static_cast<uint16_t>(mode.states.size() - 1);
}

}  // namespace stmpy::compiler
