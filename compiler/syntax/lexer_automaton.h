// ANTLR's lexer automaton, walked without ANTLR's cost.
//
// ANTLR finds its DFA while it lexes and keeps the edges in hash tables behind a lock, which makes every byte
// cost some 80 nanoseconds. Here the same DFA is copied, edge by edge as it is found, into rows that a byte
// indexes.

#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "PythonLexer.h"
#include "syntax/byte_stream.h"

namespace stmpy::compiler {

struct Word {
  size_t type;  // antlr4::Lexer::SKIP for space and comments
  uint32_t end;
};

// Only under the AntlrLock: the rows are shared by all sources of the process.
class LexerAutomaton {
 public:
  explicit LexerAutomaton(std::string_view source);

  // The longest word at `start`, which is before the end of the source, in one of the lexer's modes.
  Word match(size_t mode, uint32_t start);

 private:
  struct State {
    // Indices of states; the two below are no states.
    std::array<uint16_t, 128> next;
    size_t accepted;  // token type, or 0
    antlr4::dfa::DFAState* antlr;
  };
  static constexpr uint16_t kUnknown = 0;
  static constexpr uint16_t kNone = 1;

  struct Mode {
    std::vector<State> states;
    std::vector<uint16_t> index_of;  // by the number ANTLR gives to a state
    uint16_t start = kUnknown;
  };

  static std::vector<Mode>& modes();

  Word match_with_antlr(size_t mode, uint32_t start);
  uint16_t find_edge(Mode& mode, uint16_t from, uint8_t symbol);
  uint16_t index_of(Mode& mode, antlr4::dfa::DFAState* state);

  std::string_view source_;
  ByteStream stream_;
  grammar::PythonLexer lexer_;
  antlr4::atn::LexerATNSimulator& simulator_;
};

}  // namespace stmpy::compiler
