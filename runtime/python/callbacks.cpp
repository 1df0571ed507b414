#include "runtime/python/callbacks.h"

#include <new>

#include "runtime/python/barriers.h"
#include "runtime/python/errors.h"

namespace stmpy {
namespace {

void* take_back(void* callback, void*) {
  static_cast<Callback*>(callback)->taken_back = true;
  return nullptr;
}
constexpr core::Change kRegistered{take_back};

// --- what they raise

void report(PyObject* error, PyObject* function) {
  RaisedException::of(error).raise_again();
  PyErr_WriteUnraisable(function);
}

// All of them run, whatever the others raise. What is no Exception (KeyboardInterrupt, SystemExit) leaves as
// itself: nobody looks for it in a group.
class Errors {
 public:
  // The exception that is set, raised by `function`. `reported`: it cannot leave.
  void add(PyObject* function, bool reported) {
    RaisedException raised = RaisedException::take();
    if (!interrupt_.get() && !PyErr_GivenExceptionMatches(raised.get(), PyExc_Exception)) {
      interrupt_ = std::move(raised);
      return;
    }
    if (!errors_ && !reported) errors_ = Ref::steal(PyList_New(0));
    if (reported || !errors_ || PyList_Append(errors_.get(), raised.get()) < 0) {
      PyErr_Clear();
      report(raised.get(), function);
    }
  }

  // False with an exception.
  bool raise() {
    const Py_ssize_t count = errors_ ? PyList_GET_SIZE(errors_.get()) : 0;
    if (interrupt_.get()) {
      for (Py_ssize_t index = 0; index < count; ++index)
        report(PyList_GET_ITEM(errors_.get(), index), nullptr);
      interrupt_.raise_again();
    } else if (count == 1) {
      RaisedException::of(PyList_GET_ITEM(errors_.get(), 0)).raise_again();
    } else if (count > 1) {
      raise_group();
    }
    return count == 0 && !PyErr_Occurred();
  }

 private:
  void raise_group() {
    const Ref builtins = Ref::steal(PyImport_ImportModule("builtins"));
    const Ref group = builtins ? Ref::steal(PyObject_GetAttrString(builtins.get(), "ExceptionGroup")) : Ref();
    const Ref made =
        group ? Ref::steal(PyObject_CallFunction(
                    group.get(), "sO", "callbacks of a committed transaction raised", errors_.get()))
              : Ref();
    if (made) PyErr_SetObject(group.get(), made.get());
  }

  RaisedException interrupt_;
  Ref errors_;  // a list, or null
};

// --- registration

bool parse(const char* name, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
           Callback& callback) {
  if (count < 1 || !PyCallable_Check(args[0])) {
    PyErr_Format(errors::usage_error,
                 "%s needs the function to call, and its arguments: %s(function, *args, **kwargs)", name,
                 name);
    return false;
  }
  callback.function = Ref::borrow(args[0]);
  callback.args = Ref::steal(PyTuple_New(count - 1));
  if (!callback.args) return false;
  for (Py_ssize_t index = 1; index < count; ++index)
    PyTuple_SET_ITEM(callback.args.get(), index - 1, Py_NewRef(args[index]));
  if (!keywords) return true;
  callback.kwargs = Ref::steal(PyDict_New());
  if (!callback.kwargs) return false;
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(keywords); ++index) {
    if (PyDict_SetItem(callback.kwargs.get(), PyTuple_GET_ITEM(keywords, index), args[count + index]) < 0)
      return false;
  }
  return true;
}

bool register_callback(Thread& thread, Callback callback) {
  if (must_abort(thread)) {
    raise_abort(thread);
    return false;
  }
  Companions* companions = companions_of(thread);
  if (!companions || !reserve_entry(thread)) return false;
  std::deque<Callback>& callbacks = companions->callbacks;
  try {
    callbacks.push_back(std::move(callback));
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return false;
  }
  log_companion(thread, &callbacks.back(), kRegistered, Ref());
  return true;
}

PyObject* on_commit(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  Thread* thread = this_thread();
  Callback callback{Ref(), Ref(), Ref(), false, false};
  if (!thread || !parse("on_commit", args, count, keywords, callback)) return nullptr;
  if (thread->in_transaction()) {
    if (!register_callback(*thread, std::move(callback))) return nullptr;
  } else if (!Ref::steal(
                 PyObject_Call(callback.function.get(), callback.args.get(), callback.kwargs.get()))) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* on_abort(PyObject*, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
  Thread* thread = this_thread();
  Callback callback{Ref(), Ref(), Ref(), true, false};
  if (!thread || !parse("on_abort", args, count, keywords, callback)) return nullptr;
  if (thread->in_transaction() && !register_callback(*thread, std::move(callback))) return nullptr;
  Py_RETURN_NONE;
}

PyCFunction with_keywords(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

bool run_callbacks(std::deque<Callback>& callbacks, bool committed) {
  Errors errors;
  while (!callbacks.empty()) {
    const Callback callback = std::move(callbacks.front());
    callbacks.pop_front();
    if (callback.on_abort != callback.taken_back) continue;
    const Ref result =
        Ref::steal(PyObject_Call(callback.function.get(), callback.args.get(), callback.kwargs.get()));
    if (!result) errors.add(callback.function.get(), !committed);
  }
  return errors.raise();
}

PyMethodDef callback_methods[] = {
    {"on_commit", with_keywords(on_commit), METH_FASTCALL | METH_KEYWORDS,
     "on_commit(function, /, *args, **kwargs)\n\n"
     "Calls function(*args, **kwargs) once this thread's transaction has committed: outside of it, with "
     "everything it "
     "owned released, in the order of registration. Never for an attempt that is aborted or left by an "
     "exception, nor if "
     "the part of the transaction that registered it (a nested call) is taken back. Outside of a transaction "
     "there is "
     "nothing to wait for: calls it at once.\n\n"
     "All callbacks run, also behind one that raises. The transaction stays committed; then the outermost "
     "call raises the "
     "error instead of returning: one as itself, several as an ExceptionGroup. A KeyboardInterrupt or "
     "SystemExit leaves as "
     "itself, and the errors beside it go to sys.unraisablehook.\n\n"
     "Raises TransactionUsageError if the function is not callable."},
    {"on_abort", with_keywords(on_abort), METH_FASTCALL | METH_KEYWORDS,
     "on_abort(function, /, *args, **kwargs)\n\n"
     "Calls function(*args, **kwargs) if what this thread's transaction has done up to here is taken back: "
     "once for each "
     "attempt that is aborted or left by an exception, after it has been reverted, outside of it, with "
     "everything it owned "
     "released, before the next attempt begins, in the order of registration. Where only the part that "
     "registered it (a "
     "nested call) is taken back, it is called at the end of the attempt, also if that commits. Outside of a "
     "transaction nothing can be taken back: does nothing.\n\n"
     "All callbacks run. What they raise goes to sys.unraisablehook, and changes neither the exception that "
     "leaves nor "
     "whether the transaction runs again; only a KeyboardInterrupt or SystemExit ends the call.\n\n"
     "Raises TransactionUsageError if the function is not callable."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
