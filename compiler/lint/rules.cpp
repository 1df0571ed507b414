#include "lint/rules.h"

namespace stmpy::compiler {

namespace rules {

// What leaves the process, or waits for something in it

const LintRule input_output{
    {"STM201", Severity::warning,
     "return what is to be written, and write it after the call; read before the call, and pass in what was "
     "read"},
    "input-output",
    "input and output cannot be taken back, and are done again each time the transaction runs again"};
const LintRule waiting{{"STM202", Severity::warning, "wait before or after the call"},
                       "waiting",
                       "while it waits, the transaction keeps what it has accessed from all other threads"};
const LintRule locking{
    {"STM203", Severity::warning,
     "keep what the lock or queue protects in attributes of an STMObject: the transaction is the lock; or "
     "use it "
     "before or after the call"},
    "locking",
    "a thread that waits for a lock inside of a transaction can wait for one that waits for the transaction: "
    "nothing detects such a deadlock"};
const LintRule starting{
    {"STM204", Severity::warning, "return what is to be done, and start it after the call"},
    "starting",
    "what was started runs outside of the transaction, is not stopped by an abort, and is started again by "
    "each "
    "attempt"};
const LintRule random{{"STM205", Severity::warning, "draw the value before the call, and pass it in"},
                      "random",
                      "each attempt draws another value, and what was drawn is not put back"};
const LintRule clock{{"STM206", Severity::info, "read the clock before the call, and pass the time in"},
                     "clock",
                     "each attempt reads another time, and the last one's is not that of the commit"};

// What is changed but not transactional

const LintRule attribute_container{
    {"STM211", Severity::warning,
     "assign a new value, as in `o.items = [*o.items, item]` or `o.prices = {**o.prices, key: price}`"},
    "attribute-container",
    "only the attribute is transactional, not the list, dict or set in it: this change does not conflict "
    "with "
    "other transactions and is not taken back"};
const LintRule shared_container{
    {"STM212", Severity::warning,
     "return what is to be added, and add it after the call; or keep it in an attribute of an STMObject"},
    "shared-container",
    "the container lives outside of the transaction: an abort leaves the change in it, and the next attempt "
    "makes "
    "it again"};
const LintRule global_write{
    {"STM213", Severity::warning,
     "keep it in an attribute of an STMObject, or return it and assign it after the call"},
    "global-write",
    "the name is not transactional: other threads see the new value before the commit, and nothing keeps two "
    "transactions from writing it"};
const LintRule class_write{
    {"STM214", Severity::warning, "keep it in an attribute of an STMObject that all of them share"},
    "class-write",
    "attributes of a class are not transactional: the write neither conflicts nor is taken back"};
const LintRule shared_iterator{
    {"STM215", Severity::warning,
     "take the value before the call, and pass it in; or count in an attribute of an STMObject"},
    "shared-iterator",
    "what an iterator has given is not put back: the next attempt goes on behind it"};
const LintRule memoised{
    {"STM216", Severity::warning,
     "remove the cache; or keep it in an attribute of an STMObject, where it is read and "
     "written with the rest"},
    "memoised",
    "the cache answers with what an earlier transaction, or an aborted attempt, has read"};

const LintRule plain_object{
    {"STM217", Severity::warning, "derive the class from stmpy.STMObject"},
    "plain-object",
    "only attributes of an STMObject are transactional: this write neither conflicts nor is taken back"};

// What can disturb the abort

const LintRule abort_handler{
    {"STM221", Severity::warning, "name `Exception`, or end the handler with `raise`"},
    "abort-handler",
    "the handler also runs when the transaction is aborted to be run again; it cannot keep the abort from "
    "happening"};
const LintRule exit_from_finally{{"STM222", Severity::warning, "leave the block behind the `try` statement"},
                                 "exit-from-finally",
                                 "it drops the exception on its way, also the one that aborts the "
                                 "transaction; that cannot be kept from happening"};

// What runs at another time than it seems to

const LintRule coroutine{{"STM231", Severity::warning,
                          "return the coroutine's function and its arguments, and await it after the call"},
                         "coroutine",
                         "a transaction never spans a suspension: the coroutine runs outside of it, and each "
                         "attempt makes another one"};
const LintRule lazy_result{
    {"STM232", Severity::warning, "return a list, as in `return [o.x for o in objects]`"},
    "lazy-result",
    "what it reads is read when somebody iterates over it: outside of the transaction, value by value"};
const LintRule inner_import{
    {"STM233", Severity::warning, "import at the top of the module, or before the call"},
    "inner-import",
    "the first time, it runs a module inside of the transaction: what that does is not taken back, and it "
    "waits for "
    "locks of the import system"};

const LintRule unused_ignore{
    {"STM291", Severity::warning, "remove the comment, or the codes that are not found on its line"},
    "unused-ignore",
    "a comment that silences nothing hides the next finding"};

}  // namespace rules

std::span<const LintRule* const> lint_rules() {
  using namespace rules;
  static constexpr const LintRule* kRules[] = {
      &input_output,
      &waiting,
      &locking,
      &starting,
      &random,
      &clock,
      &attribute_container,
      &shared_container,
      &global_write,
      &class_write,
      &shared_iterator,
      &memoised,
      &plain_object,
      &abort_handler,
      &exit_from_finally,
      &coroutine,
      &lazy_result,
      &inner_import,
      &unused_ignore,
  };
  return kRules;
}

}  // namespace stmpy::compiler
