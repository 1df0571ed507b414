#include "runtime/python/invariants.h"

#include <new>

#include "runtime/python/atomic_function.h"
#include "runtime/python/errors.h"
#include "runtime/python/object.h"

namespace stmpy {
namespace {

constexpr const char* kMark = "__stm_invariant__";
// Checks may write, and what they wrote is checked again; so often, then they are taken to go on for ever.
constexpr int kMostRounds = 100;

void* forget_newest(void* companions, void*) {
  auto* of = static_cast<Companions*>(companions);
  Ref newest = std::move(of->written.back());
  of->written.pop_back();
  of->known_as_written.erase(newest.get());
  return newest.release();
}
constexpr core::Change kNoted{forget_newest};

// --- checking one object

// Raised by a check, these are not what it says of the object.
bool is_no_verdict(PyObject* exception) {
  return !PyErr_GivenExceptionMatches(exception, PyExc_Exception) ||
         PyErr_GivenExceptionMatches(exception, PyExc_MemoryError) ||
         PyErr_GivenExceptionMatches(exception, errors::transaction_error);
}

// The exception that is set, if there is one, is its cause.
void raise_violated(PyObject* object, PyObject* name, const char* how) {
  RaisedException cause = RaisedException::take();
  Ref type_name = Ref::steal(PyType_GetQualName(Py_TYPE(object)));
  Ref message = type_name ? Ref::steal(PyUnicode_FromFormat(
                                "invariant %R of a %U does not hold: it %s%s; nothing was changed", name,
                                type_name.get(), how, cause.get() ? Py_TYPE(cause.get())->tp_name : ""))
                          : Ref();
  Ref error = message ? Ref::steal(PyObject_CallOneArg(errors::invariant_violated, message.get())) : Ref();
  if (!error || PyObject_SetAttrString(error.get(), "object", object) < 0 ||
      PyObject_SetAttrString(error.get(), "invariant", name) < 0) {
    return;
  }
  if (cause.get()) {
    PyException_SetContext(error.get(), Py_NewRef(cause.get()));
    PyException_SetCause(error.get(), Py_NewRef(cause.get()));
  }
  PyErr_SetObject(errors::invariant_violated, error.get());
}

// As the class has it now, like a special method: the instance is not asked.
bool check_one(PyObject* object, PyObject* name) {
  PyTypeObject* type = Py_TYPE(object);
  Ref method = type_lookup(type, name);
  if (!method || method.get() == Py_None) return true;
  if (const descrgetfunc get = Py_TYPE(method.get())->tp_descr_get)
    method = Ref::steal(get(method.get(), object, reinterpret_cast<PyObject*>(type)));
  const Ref result = method ? Ref::steal(PyObject_CallNoArgs(method.get())) : Ref();
  const int holds = result ? PyObject_IsTrue(result.get()) : -1;
  if (holds > 0) return true;
  if (holds == 0) {
    raise_violated(object, name,
                   result.get() == Py_None ? "returned None, and has to return something true where it holds"
                                           : "returned something false");
    return false;
  }
  RaisedException raised = RaisedException::take();
  const bool no_verdict = is_no_verdict(raised.get());
  raised.raise_again();
  if (!no_verdict) raise_violated(object, name, "raised ");
  return false;
}

// The flag behind the cells of payloads whose class had invariants when the object was made; else null.
std::atomic<bool>* under_construction(PyObject* object) {
  Payload* payload = shell_of(object)->payload;
  const Layout& layout = *payload->layout;
  return layout.invariants.empty()
             ? nullptr
             : reinterpret_cast<std::atomic<bool>*>(&payload->cells[layout.names.size()]);
}

bool check_object(const Companions& companions, PyObject* object) {
  const Ref type = Ref::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)));  // keeps the layout
  const Layout* layout = layout_if_made(Py_TYPE(object));
  std::atomic<bool>* const constructing = under_construction(object);
  for (std::size_t index = 0; layout && index < layout->invariants.size(); ++index) {
    if (check_one(object, layout->invariants[index].get())) continue;
    const bool may_be = companions.is_single_write && constructing &&
                        constructing->load(std::memory_order_relaxed) &&
                        PyErr_ExceptionMatches(errors::invariant_violated);
    if (may_be) PyErr_Clear();
    return may_be;
  }
  if (constructing) constructing->store(false, std::memory_order_relaxed);
  return true;
}

class Checking {
 public:
  explicit Checking(Companions& companions) : companions_(companions) { companions.are_checked = true; }
  ~Checking() { companions_.are_checked = false; }
  Checking(const Checking&) = delete;
  Checking& operator=(const Checking&) = delete;

 private:
  Companions& companions_;
};

// --- transactions of classes with invariants

template <class Body>  // () -> bool, false with an exception
bool in_named_transaction(Thread& thread, PyObject* object, const ConsumableArguments& arguments, Body body) {
  PyObject* text = PyType_GetQualName(Py_TYPE(object));
  if (!text) return false;
  PyUnicode_InternInPlace(&text);
  const Ref name = Ref::steal(text);
  Options options;
  options.name = name.get();
  return static_cast<bool>(Ref::steal(call_outermost(thread, options, arguments, [&] {
    return note_written(thread, object) && body() ? Py_NewRef(Py_None) : nullptr;
  })));
}

initproc call_init = nullptr;  // the interpreter's: calls __init__ as the class has it now

int init_as_one_unit(PyObject* self, PyObject* args, PyObject* kwargs) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  if (thread->in_transaction()) return call_init(self, args, kwargs);
  try {
    std::vector<PyObject*> all;
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(args); ++index)
      all.push_back(PyTuple_GET_ITEM(args, index));
    PyObject *key, *value;
    for (Py_ssize_t position = 0; kwargs && PyDict_Next(kwargs, &position, &key, &value);)
      all.push_back(value);
    const ConsumableArguments arguments(all.data(), static_cast<Py_ssize_t>(all.size()));
    const bool done =
        in_named_transaction(*thread, self, arguments, [&] { return call_init(self, args, kwargs) == 0; });
    return done ? 0 : -1;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
  }
}

// Assigning C.__init__ puts the interpreter's function back, so this is looked at for each object.
void unify_construction(PyTypeObject* type) {
  if (type->tp_init == init_as_one_unit) return;
  if (!call_init) {
    static PyObject* const name = PyUnicode_InternFromString("__init__");
    const Ref method = name ? type_lookup(type, name) : Ref();
    if (!method || !(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || Py_IS_TYPE(method.get(), &PyWrapperDescr_Type))
      return;
    call_init = type->tp_init;
  }
  if (type->tp_init == call_init) type->tp_init = init_as_one_unit;
}

// --- the decorator

PyObject* invariant(PyObject*, PyObject* function) {
  const auto* code =
      PyFunction_Check(function)
          ? reinterpret_cast<PyCodeObject*>(reinterpret_cast<PyFunctionObject*>(function)->func_code)
          : nullptr;
  const bool suspends = code && (code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR | CO_GENERATOR));
  if ((!code && !Py_IS_TYPE(function, &atomic_function_type)) || suspends) {
    PyErr_Format(errors::usage_error,
                 "@invariant is for ordinary methods of STMObjects, which take self and return something "
                 "true where it "
                 "holds; not for %R",
                 function);
    return nullptr;
  }
  return PyObject_SetAttrString(function, kMark, Py_True) < 0 ? nullptr : Py_NewRef(function);
}

// Not each entry is a write: a pair that is read in a writing mode (under reads="exclusive", or because an
// upgrade of it has failed) is logged too.
bool has_written(const Companions& companions, const core::LogEntry& entry) {
  if (entry.record.get() == &companions.record || (entry.flags.get() & core::LogEntry::kVoid)) return false;
  const core::Slot* slot = entry.slot.get();
  return !slot || slot->load(std::memory_order_relaxed) != entry.old_value.get();
}

}  // namespace

bool has_invariants_of_its_own(Thread& thread, PyTypeObject* type) {
  const Lookup* known = thread.lookups.find(type, names::dict);
  const Layout* layout = known ? known->layout : thread.lookups.fill(type, names::dict).layout;
  return layout && !layout->invariants.empty();
}

bool note_written(Thread& thread, PyObject* object) {
  Companions* companions = companions_of(thread);
  if (!companions || !reserve_entry(thread)) return false;
  try {
    if (!companions->known_as_written.insert(object).second) return true;
    companions->written.push_back(Ref::borrow(object));
  } catch (const std::bad_alloc&) {
    companions->known_as_written.erase(object);
    PyErr_NoMemory();
    return false;
  }
  log_companion(thread, companions, kNoted, Ref());
  return true;
}

bool check_invariants(Thread& thread) {
  Companions& companions = *thread.companions;
  const Checking checking(companions);
  for (int round = 0; round < kMostRounds; ++round) {
    // In a savepoint all that is written is logged again.
    NestedCall checks(thread, Options{});
    const auto start = thread.descriptor.log.position();
    const auto additions = thread.descriptor.effects.position();
    bool hold = true;
    // A check may write to objects that were not written before.
    for (std::size_t index = 0; hold && index < companions.written.size(); ++index) {
      const Ref object = Ref::borrow(companions.written[index].get());
      hold = check_object(companions, object.get());
    }
    bool wrote = !thread.descriptor.effects.empty_since(additions);
    thread.descriptor.log.forwards(
        start, [&](core::LogEntry& entry) { wrote = wrote || has_written(companions, entry); });
    checks.end(nullptr);
    if (!hold) return false;
    if (!wrote) return true;
  }
  PyErr_Format(errors::usage_error,
               "the invariants of what the transaction wrote write again each time they are checked (%d "
               "times): let them "
               "look only",
               kMostRounds);
  return false;
}

bool begin_construction(PyObject* object) {
  Thread* thread = this_thread();
  if (!thread) return false;
  unify_construction(Py_TYPE(object));
  new (under_construction(object)) std::atomic<bool>(!thread->in_transaction());
  return !thread->in_transaction() || note_written(*thread, object);
}

int end_construction(PyObject* object) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  if (thread->in_transaction()) return 0;
  const ConsumableArguments nothing(nullptr, 0);
  return in_named_transaction(*thread, object, nothing, [] { return true; }) ? 0 : -1;
}

bool write_checked(Thread& thread, PyObject* object, Done (*write)(void*), void* argument) {
  const ConsumableArguments nothing(nullptr, 0);
  return in_named_transaction(thread, object, nothing, [&] {
    thread.companions->is_single_write = true;
    return in_one_transaction(thread, [&] { return write(argument); });
  });
}

PyMethodDef invariant_methods[] = {
    {"invariant", invariant, METH_O,
     "invariant(method)\n\n"
     "Decorator of a method of an STMObject's class: it holds for each object that a transaction wrote, or "
     "made, when "
     "that commits. Before the commit it is called, with the object alone; if it returns something false or "
     "raises, the "
     "transaction is taken back and InvariantViolated is raised. Nested calls are not checked by themselves: "
     "states "
     "between are nobody's business.\n\n"
     "A call of the class outside of transactions is one for this purpose, from the beginning of __init__ to "
     "its end, "
     "and so is a single write outside. What a check reads belongs to the transaction. Subclasses inherit "
     "it; a method of "
     "the same name takes its place (None: nothing does), and can call it with super(). Which methods of a "
     "class are "
     "invariants is settled when its first object is made.\n\n"
     "Returns the method itself. Raises TransactionUsageError for what is no ordinary method."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
