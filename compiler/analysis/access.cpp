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

std::string_view to_string(Plan plan) {
  switch (plan) {
    case Plan::dynamic:
      return "dynamic";
    case Plan::load:
      return "load";
    case Plan::open_write:
      return "open_write";
    case Plan::open_delete:
      return "open_delete";
    case Plan::open_update:
      return "open_update";
    case Plan::in_place:
      return "in_place";
  }
  return "";
}

}  // namespace stmpy::compiler
