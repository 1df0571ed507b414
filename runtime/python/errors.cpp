#include "runtime/python/errors.h"

namespace stmpy {

namespace errors {
PyObject *never_raised, *abort_transaction, *transaction_error, *transaction_timeout, *too_many_attempts,
    *usage_error, *invariant_violated;
}  // namespace errors

namespace {

bool add(PyObject* module, PyObject*& error, const char* name, const char* doc, PyObject* bases) {
  Ref qualified = Ref::steal(PyUnicode_FromFormat("stmpy.%s", name));
  const char* utf8 = qualified ? PyUnicode_AsUTF8(qualified.get()) : nullptr;
  if (!utf8) return false;
  error = PyErr_NewExceptionWithDoc(utf8, doc, bases, nullptr);
  return error && PyModule_AddObjectRef(module, name, error) == 0;
}

}  // namespace

bool is_abort(PyObject* exception) {
  return PyErr_GivenExceptionMatches(exception, errors::abort_transaction) != 0;
}

bool follows_abort(PyObject* exception) {
  // An exception raised in a handler has the handled one as its context. Code of the user's can make cycles
  // of them.
  Ref before = Ref::steal(PyException_GetContext(exception));
  for (int length = 0; length < 1000 && before; ++length) {
    if (is_abort(before.get())) return true;
    before = Ref::steal(PyException_GetContext(before.get()));
  }
  return false;
}

bool is_handling_abort() {
  const Ref handled = Ref::steal(PyErr_GetHandledException());
  return handled && handled.get() != Py_None && (is_abort(handled.get()) || follows_abort(handled.get()));
}

int add_errors(PyObject* module) {
  using namespace errors;
  if (!add(module, abort_transaction, "AbortTransaction",
           "Unwinds an attempt that was aborted; the runtime catches it and runs the transaction again.\n\n"
           "A BaseException, so that `except Exception` lets it pass. It cannot be swallowed: code that "
           "catches it meets it "
           "again at the next access. Clean-up code (`finally`, `__exit__`) runs and may use what the "
           "transaction owns.",
           PyExc_BaseException) ||
      !add(module, transaction_error, "TransactionError", "Base of the errors that stmpy raises.",
           PyExc_Exception)) {
    return -1;
  }
  never_raised = PyErr_NewException("stmpy.NeverRaised", PyExc_BaseException, nullptr);
  if (!never_raised) return -1;
  Ref timeout_bases = Ref::steal(PyTuple_Pack(2, transaction_error, PyExc_TimeoutError));
  if (!timeout_bases ||
      !add(module, transaction_timeout, "TransactionTimeout",
           "The time given to `@atomic(timeout=...)` passed while the call waited; nothing was changed.",
           timeout_bases.get()) ||
      !add(module, too_many_attempts, "TooManyAttempts",
           "As many attempts as `@atomic(max_attempts=...)` allows were aborted; nothing was changed.",
           transaction_error) ||
      !add(module, invariant_violated, "InvariantViolated",
           "An `@invariant` does not hold for an object that a transaction wrote; nothing was changed.\n\n"
           "`object` is the object, `invariant` the method's name; `__cause__` is what the method raised, if "
           "it "
           "raised.",
           transaction_error) ||
      !add(module, usage_error, "TransactionUsageError", "A misuse of stmpy; the message says the remedy.",
           transaction_error)) {
    return -1;
  }
  return 0;
}

}  // namespace stmpy
