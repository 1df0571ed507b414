// ANTLR's runtime shares its automata between all parsers of a process and reads them unlocked.

#pragma once

namespace stmpy::compiler {

// Held while ANTLR's lexer or parser runs; one for the process. A fork waits for the holder, so that the
// child's automata are whole and its lock is free. Never take it while holding the GIL.
class AntlrLock {
 public:
  AntlrLock();
  ~AntlrLock();
  AntlrLock(const AntlrLock&) = delete;
  AntlrLock& operator=(const AntlrLock&) = delete;
};

}  // namespace stmpy::compiler
