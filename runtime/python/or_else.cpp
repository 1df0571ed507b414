#include "runtime/python/or_else.h"

#include <new>

#include "runtime/python/call.h"
#include "runtime/python/errors.h"
#include "runtime/python/retry.h"

namespace stmpy {
namespace {

PyObject* the_function = nullptr;  // `stmpy.or_else`, for the life of the process
PyObject* its_name = nullptr;

// Needs parameters that have no default. False also where that cannot be told.
bool needs_arguments(PyObject* callable) {
  const bool is_bound = PyMethod_Check(callable);
  PyObject* function = is_bound ? PyMethod_GET_FUNCTION(callable) : callable;
  if (!PyFunction_Check(function)) return false;
  const auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function));
  PyObject *defaults = PyFunction_GET_DEFAULTS(function), *keywords = PyFunction_GET_KW_DEFAULTS(function);
  const Py_ssize_t given = (defaults ? PyTuple_GET_SIZE(defaults) : 0) + (is_bound ? 1 : 0);
  return code->co_argcount > given || code->co_kwonlyargcount > (keywords ? PyDict_GET_SIZE(keywords) : 0);
}

bool is_suspended(PyObject* callable) {
  PyObject* function = PyMethod_Check(callable) ? PyMethod_GET_FUNCTION(callable) : callable;
  if (!PyFunction_Check(function)) return false;
  const auto* code = reinterpret_cast<PyCodeObject*>(PyFunction_GET_CODE(function));
  return (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
}

bool check_alternatives(PyObject* const* alternatives, Py_ssize_t count) {
  if (count == 0) {
    PyErr_SetString(errors::usage_error, "or_else needs an alternative: or_else(f, g, ...)");
    return false;
  }
  for (Py_ssize_t index = 0; index < count; ++index) {
    PyObject* alternative = alternatives[index];
    const char* wrong = nullptr;
    if (!PyCallable_Check(alternative)) {
      wrong = "or_else calls its alternatives itself, and %R is none: pass a function, or a lambda";
    } else if (is_suspended(alternative)) {
      wrong = "or_else cannot run %R: a transaction cannot span a yield or an await";
    } else if (needs_arguments(alternative)) {
      wrong =
          "or_else calls its alternatives without arguments, and %R needs some: write a lambda that passes "
          "them";
    }
    if (!wrong) continue;
    PyErr_Format(errors::usage_error, wrong, alternative);
    return false;
  }
  return true;
}

// The innermost on its thread, until its end.
class Alternative {
 public:
  explicit Alternative(Thread& thread)
      : thread_(thread), savepoint_(thread, Options()), around_(thread.alternative) {
    thread.alternative = thread.level;
  }
  Alternative(const Alternative&) = delete;
  Alternative& operator=(const Alternative&) = delete;

  // retry() leads here, whether its exception has come or was swallowed.
  bool has_retried() const { return savepoint_.is_retry_target(); }
  // Once. No exception may be set where it is not kept: any code may run.
  void end(PyObject* exception) {
    thread_.alternative = around_;
    savepoint_.end(exception);
  }

 private:
  Thread& thread_;
  NestedCall savepoint_;
  const std::uint64_t around_;
};

PyObject* run(Thread& thread, PyObject* const* alternatives, Py_ssize_t count) {
  for (Py_ssize_t index = 0; index < count; ++index) {
    if (!may_nest(thread, Options{})) return nullptr;
    Alternative alternative(thread);
    const Ref result = Ref::steal(PyObject_CallNoArgs(alternatives[index]));
    const bool retried = alternative.has_retried();
    if (result && !retried) {
      alternative.end(nullptr);
      return Py_NewRef(result.get());
    }
    RaisedException raised = RaisedException::take();
    alternative.end(raised.get());
    if (!retried || always_propagates(raised.get())) {
      raised.raise_again();
      return nullptr;
    }
  }
  return retry_further(thread);
}

PyObject* or_else(PyObject*, PyObject* const* alternatives, Py_ssize_t count) {
  Thread* thread = this_thread();
  if (!thread || !check_alternatives(alternatives, count)) return nullptr;
  if (thread->in_transaction()) return run(*thread, alternatives, count);
  Options options;
  options.name = its_name;
  return call_atomically(options, the_function, alternatives, static_cast<std::size_t>(count), nullptr);
}

PyMethodDef methods[] = {
    {"or_else", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(or_else)), METH_FASTCALL,
     "or_else(first, /, *others)\n\nThe result of the first of these functions that does not retry(). Each "
     "is "
     "called without arguments, as a nested transaction: one that retries is taken back before the next one "
     "runs, "
     "and where all of them do, so does or_else: it waits for a change of anything that any of them has "
     "read. An "
     "exception that leaves one takes that one back and leaves or_else. Outside of a transaction it is one "
     "of "
     "its own.\n\nRaises TransactionUsageError for what cannot be called so. Composable memory transactions: "
     "Harris, Marlow, Peyton Jones and Herlihy, PPoPP 2005."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_or_else(PyObject* module) {
  if (PyModule_AddFunctions(module, methods) < 0) return -1;
  the_function = PyObject_GetAttrString(module, "or_else");
  its_name = PyUnicode_InternFromString("or_else");
  return the_function && its_name ? 0 : -1;
}

}  // namespace stmpy
