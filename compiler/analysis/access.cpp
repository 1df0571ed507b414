#include "analysis/access.h"

namespace stmpy::compiler {

std::string_view to_string(AccessKind kind) {
  switch (kind) {
    case AccessKind::load:
      return "load";
    case AccessKind::call:
      return "call";
    case AccessKind::store:
      return "store";
    case AccessKind::remove:
      return "delete";
    case AccessKind::update:
      return "update";
  }
  return "";
}

std::string_view to_string(Fate fate) {
  switch (fate) {
    case Fate::opened:
      return "opened";
    case Fate::reused:
      return "reused";
    case Fate::free:
      return "free";
    case Fate::as_written:
      return "as written";
    case Fate::dynamic:
      return "dynamic";
  }
  return "";
}

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::none:
      return "";
    case Mode::read:
      return "read";
    case Mode::update:
      return "update";
    case Mode::write:
      return "write";
  }
  return "";
}

}  // namespace stmpy::compiler
