#include "runtime/python/thread.h"

#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/core/host.h"
#include "runtime/core/immortal.h"
#include "runtime/core/outside.h"
#include "runtime/python/retry.h"

namespace stmpy {
namespace {

// A Thread lives as long as its descriptor, that is for ever; the next thread that gets the descriptor takes
// it over.
struct Threads {
  std::mutex mutex;
  std::unordered_map<const core::Descriptor*, Thread*> by_descriptor;
};

Threads& threads() {
  static core::Immortal<Threads> all;
  return all.value;
}

// Returns the descriptor at the end of the thread. Runs without the GIL, so nothing of Python's is touched.
struct AtThreadExit {
  ~AtThreadExit() {
    Thread* thread = detail::current_thread;
    detail::current_thread = nullptr;
    // Whoever ends a thread inside of a transaction, by pthread_exit(), has it keep what it owns for ever.
    if (thread && !thread->in_transaction()) core::retire_descriptor(thread->descriptor);
  }
};

void* detach() { return PyEval_SaveThread(); }
void attach(void* token) { PyEval_RestoreThread(static_cast<PyThreadState*>(token)); }
// Once the interpreter shuts down, no other thread will ever run again: what they have left behind must not
// stop this one.
bool interrupted() {
  if (is_finalizing())
    core::finish_attempts_of_others(detail::current_thread ? &detail::current_thread->descriptor : nullptr);
  return PyErr_CheckSignals() < 0;
}
bool is_alone() { return is_finalizing(); }
void retain(void* reference) { Py_INCREF(static_cast<PyObject*>(reference)); }
void release(void* reference) { Py_DECREF(static_cast<PyObject*>(reference)); }

PyObject* after_fork_in_child(PyObject*, PyObject*) {
  new (&threads().mutex) std::mutex;
  Thread* survivor = this_thread_if_any();
  core::Descriptor* own = survivor ? &survivor->descriptor : nullptr;
  // What the others were in the middle of. Callbacks do not run: the threads that would run them are gone.
  std::vector<CallState> gone;
  try {
    gone.reserve(threads().by_descriptor.size());
  } catch (const std::bad_alloc&) {  // what they have is let go at once
  }
  for (const auto& [descriptor, thread] : threads().by_descriptor) {
    if (thread == survivor) continue;
    CallState left = std::exchange<CallState>(*thread, {});
    if (gone.size() < gone.capacity()) gone.push_back(std::move(left));
  }
  core::retire_descriptors_of_others(own);
  core::finish_attempts_after_fork(own);
  Py_RETURN_NONE;
}
PyMethodDef after_fork_method = {"after_fork_in_child", after_fork_in_child, METH_NOARGS, nullptr};

}  // namespace

namespace detail {

[[gnu::tls_model("initial-exec")]] constinit thread_local Thread* current_thread = nullptr;

Thread* adopt_thread() {
  static thread_local AtThreadExit at_exit;
  (void)at_exit;
  core::Descriptor* descriptor = nullptr;
  try {
    descriptor = &core::adopt_descriptor();
    const std::lock_guard guard(threads().mutex);
    Thread*& thread = threads().by_descriptor[descriptor];
    if (!thread) thread = new Thread(*descriptor);
    thread->ident.set(PyThread_get_thread_ident());
    return current_thread = thread;
  } catch (const std::bad_alloc&) {
    if (descriptor) core::retire_descriptor(*descriptor);
    PyErr_NoMemory();
    return nullptr;
  }
}

}  // namespace detail

Thread* thread_of(const core::Descriptor& descriptor) {
  const std::lock_guard guard(threads().mutex);
  const auto found = threads().by_descriptor.find(&descriptor);
  return found == threads().by_descriptor.end() ? nullptr : found->second;
}

int install_host() {
  is_main_thread();  // finds what it asks, while no other thread can want the same
  core::host = {detach, attach, interrupted, is_main_thread, is_alone, retain, release, is_constant};
  Ref os = Ref::steal(PyImport_ImportModule("os"));
  Ref callback = os ? Ref::steal(PyCFunction_New(&after_fork_method, nullptr)) : Ref();
  Ref at_fork = callback ? Ref::steal(PyObject_GetAttrString(os.get(), "register_at_fork")) : Ref();
  Ref keywords = at_fork ? Ref::steal(Py_BuildValue("{s:O}", "after_in_child", callback.get())) : Ref();
  Ref nothing = keywords ? Ref::steal(PyTuple_New(0)) : Ref();
  if (!nothing) return -1;
  Ref done = Ref::steal(PyObject_Call(at_fork.get(), nothing.get(), keywords.get()));
  return done ? 0 : -1;
}

}  // namespace stmpy
