#include "runtime/python/retry.h"

#include <algorithm>

#include "runtime/python/barriers.h"
#include "runtime/python/errors.h"
#include "runtime/python/guarded.h"
#include "runtime/python/introspection.h"

namespace stmpy {
namespace {

Place current_place() {
  PyFrameObject* frame = PyEval_GetFrame();
  if (!frame) return {};
  const Ref code = Ref::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  return {Ref::borrow(reinterpret_cast<PyCodeObject*>(code.get())->co_filename),
          PyFrame_GetLineNumber(frame)};
}

// "retry() in bank.py, line 12". Null with an exception.
Ref describe(const Place& place) {
  return Ref::steal(place.file ? PyUnicode_FromFormat("retry() in %U, line %d", place.file.get(), place.line)
                               : PyUnicode_FromString("retry()"));
}

struct Pair {
  PyObject* object;
  const core::Record* record;
};

// "Account.balance, Account.limit and 7 more". Null with an exception. Names only: a repr could run anything.
Ref describe(const std::vector<Pair>& pairs) {
  constexpr std::size_t kShown = 3, kLookedAt = 100;
  std::vector<Ref> names;
  std::size_t index = 0;
  for (; index < std::min(pairs.size(), kLookedAt); ++index) {
    const Ref attribute = attribute_of(pairs[index].object, pairs[index].record);
    Ref name = Ref::steal(
        attribute ? PyUnicode_FromFormat("%s.%U", Py_TYPE(pairs[index].object)->tp_name, attribute.get())
                  : nullptr);
    if (!name) return Ref();
    const bool known = std::any_of(names.begin(), names.end(), [&](const Ref& other) {
      return PyUnicode_Compare(other.get(), name.get()) == 0;
    });
    if (known) continue;
    if (names.size() == kShown) break;
    names.push_back(std::move(name));
  }
  Ref text = Ref::steal(PyUnicode_FromString(""));
  for (const Ref& name : names) {
    if (text)
      text = Ref::steal(
          PyUnicode_FromFormat("%U%s%U", text.get(), &name == names.data() ? "" : ", ", name.get()));
  }
  if (text && index < pairs.size())
    text = Ref::steal(PyUnicode_FromFormat("%U and %zu more", text.get(), pairs.size() - index));
  return text;
}

// Of what `for_each` gives to a function of a Pair.
template <class ForEach>
void raise_timeout(PyObject* function_name, const Place& place, ForEach for_each) try {
  std::vector<Pair> pairs;
  for_each([&](void* object, const core::Record* record) {
    pairs.push_back({static_cast<PyObject*>(object), record});
  });
  const Ref awaited = describe(pairs);
  const Ref where = awaited ? describe(place) : Ref();
  if (!where) return;
  count_timeout();
  PyErr_Format(errors::transaction_timeout,
               "%U waited longer than its timeout allows for a change of %U (%U); nothing was changed",
               function_name, awaited.get(), where.get());
} catch (const std::bad_alloc&) {
  raise_no_memory();
}

PyObject* retry_outermost(Thread& thread) {
  core::Descriptor& self = thread.descriptor;
  if (self.state().state() == core::State::Irrevocable) {
    raise_futile_retry(thread.retry_place,
                       "an irrevocable transaction cannot be run again: wait in a transaction before it");
    return nullptr;
  }
  if (thread.companions && thread.companions->are_checked) {
    raise_futile_retry(thread.retry_place,
                       "an invariant's check says whether it holds, and cannot wait until it does: wait in "
                       "the transaction");
    return nullptr;
  }
  if (core::holds_nothing(self)) {
    raise_futile_retry(thread.retry_place,
                       "the transaction has read nothing, so that nothing could ever wake it: read what it "
                       "waits for, an attribute of an STMObject, before");
    return nullptr;
  }
  thread.retrying = core::doom(self);  // or somebody else has doomed it before us
  thread.retry_target = 0;
  raise_abort(thread);
  return nullptr;
}

PyObject* retry(PyObject*, PyObject*) { return raise_retry(); }

PyObject* check(PyObject*, PyObject* condition) {
  const int holds = PyObject_IsTrue(condition);
  if (holds < 0) return nullptr;
  if (holds == 0) return raise_retry();
  Py_RETURN_NONE;
}

bool is_constant_value(PyObject* value, int depth) {
  PyTypeObject* type = Py_TYPE(value);
  if (type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type || type == &PyBool_Type ||
      type == &PyBytes_Type || type == &PyComplex_Type || type == &PyRange_Type || value == Py_None ||
      value == Py_Ellipsis) {
    return true;
  }
  // A tuple is what is in it. One that is deep or long is not looked through: at the worst somebody is woken
  // for nothing.
  constexpr Py_ssize_t kLong = 64;
  if (type == &PyTuple_Type && depth > 0 && PyTuple_GET_SIZE(value) <= kLong) {
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(value); ++index) {
      if (!is_constant_value(PyTuple_GET_ITEM(value, index), depth - 1)) return false;
    }
    return true;
  }
  return is_stm_type(type);  // whose attributes are watched themselves
}

}  // namespace

PyObject* raise_retry() {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  if (!thread->in_transaction()) {
    PyErr_SetString(errors::usage_error,
                    "retry() and check() wait in a transaction, and none is running: call them in a function "
                    "under @atomic");
    return nullptr;
  }
  if (!is_unwinding(*thread)) thread->retry_place = current_place();
  return retry_further(*thread);
}

PyObject* retry_further(Thread& thread) {
  if (is_unwinding(thread)) {
    raise_abort(thread);
    return nullptr;
  }
  const std::uint64_t overdue = thread.timed_calls.overdue(thread.alternative);
  const std::uint64_t target = overdue ? overdue : thread.alternative;
  if (target == 0) return retry_outermost(thread);
  thread.retrying = true;
  thread.retry_target = target;
  core::hide_from_inline_checks(thread.descriptor);
  raise_abort(thread);
  return nullptr;
}

void end_retry(Thread& thread) {
  thread.retrying = thread.told = false;
  core::show_to_inline_checks(thread.descriptor);
}

void raise_retry_timeout(PyObject* function_name, const Place& place,
                         const std::vector<core::Watcher>& watched) {
  raise_timeout(function_name, place, [&](auto add) {
    for (const core::Watcher& watcher : watched) add(watcher.object, watcher.record);
  });
}

void raise_retry_timeout(Thread& thread, PyObject* function_name) {
  raise_timeout(function_name, thread.retry_place, [&](auto add) {
    core::for_each_pair(thread.descriptor, [&](core::Record& record, void* object) { add(object, &record); });
  });
}

void raise_futile_retry(const Place& place, const char* why) {
  if (const Ref where = describe(place)) PyErr_Format(errors::usage_error, "%U: %s", where.get(), why);
}

bool is_futile(const core::Watch& watch) {
  return std::none_of(watch.objects().begin(), watch.objects().end(), [](void* reference) {
    auto* object = static_cast<PyObject*>(reference);
    return may_be_held(object) || shell_of(object)->weakrefs;
  });
}

bool is_constant(void* reference) { return is_constant_value(static_cast<PyObject*>(reference), 4); }

PyMethodDef retry_methods[] = {
    {"retry", retry, METH_NOARGS,
     "retry()\n\nTakes the transaction back, waits until something that it has read changes, and runs it "
     "again. "
     "In an alternative of or_else: goes on to the next one. What is changed may be changed by a transaction "
     "or outside of one; the same immutable object written back is no change.\n\nEnds with the change, with "
     "TransactionTimeout when the timeout of a call that it is in has passed, or with what a signal handler "
     "raises; then nothing is changed. Attempts that ended in a wait do not count for "
     "max_attempts.\n\nRaises "
     "TransactionUsageError outside of a transaction, in an irrevocable one, in an invariant's check, and "
     "where nothing can ever wake it: "
     "the transaction has read nothing, or only what nobody else can reach. Composable memory transactions: "
     "Harris, Marlow, Peyton Jones and Herlihy, PPoPP 2005."},
    {"check", check, METH_O,
     "check(condition, /)\n\nretry() unless the condition is true: waits, in a transaction, until it is."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
