#include "runtime/python/waits.h"

#include "runtime/core/waits.h"
#include "runtime/python/guarded.h"
#include "runtime/python/introspection.h"
#include "runtime/python/thread.h"

namespace stmpy {
namespace {

struct Party {
  unsigned long ident = 0;
  Ref function;  // its outermost atomic function; null outside
};

// With the GIL no code runs in between, and without it interned names are immortal.
Party party_of(const core::Descriptor& descriptor) {
  const Thread* thread = thread_of(descriptor);
  return thread ? Party{thread->ident.get(), Ref::borrow(thread->name.get_acquire())} : Party{};
}

std::vector<core::SeenWait> waits_of(double seconds) {
  return core::waits_since(core::Clock::now() - std::chrono::duration_cast<core::Clock::duration>(
                                                    std::chrono::duration<double>(seconds)));
}

// [((thread, number), seconds)]: those that have lasted so long.
PyObject* waits(PyObject*, PyObject* seconds) {
  const double at_least = PyFloat_AsDouble(seconds);
  if (at_least == -1 && PyErr_Occurred()) return nullptr;
  const std::vector<core::SeenWait> all = waits_of(at_least);
  const core::Clock::time_point now = core::Clock::now();
  Ref result = Ref::steal(PyList_New(0));
  for (const core::SeenWait& seen : all) {
    if (!result) break;
    const double lasted = std::chrono::duration<double>(now - seen.awaiting.since).count();
    const Ref item = Ref::steal(Py_BuildValue("(IK)d", static_cast<unsigned>(seen.waiter->id),
                                              static_cast<unsigned long long>(seen.awaiting.number), lasted));
    if (!item || PyList_Append(result.get(), item.get()) < 0) return nullptr;
  }
  return result.release();
}

// (waiter's ident, holder's ident, waiter's function, holder's function, object, attribute, whether it waits
// to become irrevocable), or None where it is over, or about to be.
PyObject* wait(PyObject*, PyObject* args) {
  unsigned waiter;
  unsigned long long number;
  Thread* self = PyArg_ParseTuple(args, "IK", &waiter, &number) ? this_thread() : nullptr;
  if (!self) return nullptr;
  Party waiting, holding;
  Ref object;
  core::Awaiting awaiting;
  {
    const core::Observer observer(self->descriptor);
    for (const core::SeenWait& seen : waits_of(0)) {
      if (seen.waiter->id != waiter || seen.awaiting.number != number) continue;
      awaiting = seen.awaiting;
      waiting = party_of(*seen.waiter);
      holding = party_of(*awaiting.whom.descriptor);
      object = Ref::borrow(static_cast<PyObject*>(core::awaited_object(observer, awaiting)));
      break;
    }
  }
  core::Observer::empty_limbo();
  const bool is_over = awaiting.number == 0 || (awaiting.at && !core::in_progress(awaiting.whom));
  if (is_over) Py_RETURN_NONE;
  const Ref attribute = object ? attribute_of(object.get(), awaiting.at) : Ref();
  if (object && !attribute) return nullptr;
  const auto or_none = [](const Ref& ref) { return ref ? ref.get() : Py_None; };
  return Py_BuildValue("kkOOOOO", waiting.ident, holding.ident, or_none(waiting.function),
                       or_none(holding.function), or_none(object), or_none(attribute),
                       awaiting.at ? Py_False : Py_True);
}

}  // namespace

PyMethodDef wait_methods[] = {
    {"waits", guarded<waits>, METH_O,
     "waits(seconds): [((thread, number), seconds)], those that have lasted so long."},
    {"wait", guarded<wait>, METH_VARARGS,
     "wait(thread, number): who waits for whom, and for what; None where it is over."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
