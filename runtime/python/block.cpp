#include "runtime/python/block.h"

#include <new>
#include <optional>

#include "runtime/python/atomic.h"
#include "runtime/python/call.h"
#include "runtime/python/errors.h"
#include "runtime/python/frame_variables.h"

namespace stmpy {
namespace {

using Args = PyObject* const*;

enum class Stage : std::uint8_t {
  Fresh,
  Ready,    // an attempt may begin
  Running,  // an attempt, or a savepoint
  Aborted,  // taken back; the next attempt has to wait for its turn
  Over,
};

// One execution of a `with atomic():`. All but its memory belongs to the thread that made it.
struct Block {
  PyObject_HEAD Thread* thread;
  Stage stage;
  std::uint64_t level;  // of the thread, while Running
  Options options;
  Ref name;   // what options.name points to
  Ref saved;  // the variables that the block binds, as they were before it; null in a nested block
  ConsumableArguments arguments;
  // One of them, from the first attempt on.
  std::optional<OutermostCall> outermost;
  std::optional<NestedCall> nested;
};

PyTypeObject* block_type();
PyObject* unbound = nullptr;  // for the life of the process

Block* block_of(PyObject* self) { return reinterpret_cast<Block*>(self); }

PyObject* out_of_order() {
  PyErr_SetString(
      PyExc_RuntimeError,
      "stmpy: a step of a 'with atomic():' block was called out of its order; these functions are "
      "for generated code only");
  return nullptr;
}

// Null with an exception: not a block, or not in that stage on this thread.
Block* block_in(PyObject* object, Stage stage) {
  if (Py_TYPE(object) != block_type()) {
    PyErr_Format(PyExc_TypeError, "stmpy: a block is needed, not %.100s", Py_TYPE(object)->tp_name);
    return nullptr;
  }
  Block* block = block_of(object);
  const bool on_time = block->stage == stage && block->thread == this_thread_if_any() &&
                       (stage != Stage::Running || block->level == block->thread->level);
  if (!on_time) out_of_order();
  return on_time ? block : nullptr;
}

// The block has ended, one way or the other. Any code may run.
void finish(Block* block) {
  block->stage = Stage::Over;
  block->outermost.reset();
  block->nested.reset();
  block->saved = Ref();
}

// As Python stores names outside of ASCII.
Ref normalised(PyObject* name) {
  if (PyUnicode_IS_ASCII(name)) return Ref::borrow(name);
  const Ref module = Ref::steal(PyImport_ImportModule("unicodedata"));
  return module ? Ref::steal(PyObject_CallMethod(module.get(), "normalize", "sO", "NFKC", name)) : Ref();
}

// The variables named in `names` as they are in the code that calls us, to `saved` from `at` on.
template <class Variables>
bool save(const Variables& variables, PyObject* names, PyObject* saved, Py_ssize_t at) {
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(names); ++index) {
    if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(names, index))) return out_of_order() != nullptr;
    const Ref name = normalised(PyTuple_GET_ITEM(names, index));
    Ref value = name ? variables.get(name.get()) : Ref();
    if (!value && PyErr_Occurred()) return false;
    PyTuple_SET_ITEM(saved, at + index, value ? value.release() : Py_NewRef(unbound));
  }
  return true;
}

// `values` are of variables that are certainly bound; of those that may not be, the names are given.
bool save_variables(Block* block, PyObject* locals, PyObject* globals, Args values, Py_ssize_t count) {
  const Py_ssize_t local_count = PyTuple_GET_SIZE(locals), global_count = PyTuple_GET_SIZE(globals);
  block->saved = Ref::steal(PyTuple_New(count + local_count + global_count));
  PyObject* saved = block->saved.get();
  if (!saved) return false;
  for (Py_ssize_t index = 0; index < count; ++index) PyTuple_SET_ITEM(saved, index, Py_NewRef(values[index]));
  return (local_count == 0 || save(FrameVariables(), locals, saved, count)) &&
         (global_count == 0 || save(GlobalVariables(), globals, saved, count + local_count));
}

// block_attempts(options, name[, locals, globals, *values])
PyObject* attempts(PyObject*, Args args, Py_ssize_t count) {
  const bool well_formed = (count == 2 || (count >= 4 && PyTuple_Check(args[2]) && PyTuple_Check(args[3]))) &&
                           PyUnicode_CheckExact(args[1]);
  if (!well_formed) return out_of_order();
  const Options* options = options_of_atomic(args[0]);
  if (!options) {
    PyErr_Format(errors::usage_error,
                 "'with atomic():' was compiled for stmpy.atomic with arguments by keyword, and found %R",
                 args[0]);
    return nullptr;
  }
  Thread* thread = this_thread();
  PyObject* self = thread ? block_type()->tp_alloc(block_type(), 0) : nullptr;
  if (!self) return nullptr;
  Ref owner = Ref::steal(self);
  Block* block = block_of(self);
  block->thread = thread;
  block->stage = Stage::Fresh;
  new (&block->options) Options(*options);
  new (&block->name) Ref();
  new (&block->saved) Ref();
  new (&block->arguments) ConsumableArguments(nullptr, 0);
  new (&block->outermost) std::optional<OutermostCall>();
  new (&block->nested) std::optional<NestedCall>();
  PyObject* name = Py_NewRef(options->name ? options->name : args[1]);
  PyUnicode_InternInPlace(&name);
  block->name = Ref::steal(name);
  block->options.name = name;
  // A nested block is never run again by itself.
  if (count > 2 && !thread->in_transaction() &&
      !save_variables(block, args[2], args[3], args + 4, count - 4)) {
    return nullptr;
  }
  return owner.release();
}

PyObject* next(PyObject* self) {
  Block* block = block_of(self);
  if (block->stage == Stage::Over) return nullptr;  // left by `continue`
  if (block->stage == Stage::Aborted) {
    if (!block_in(self, Stage::Aborted)) return nullptr;
    if (!block->outermost->wait_for_turn(block->arguments)) {
      RaisedException raised = RaisedException::take();
      finish(block);
      raised.raise_again();
      return nullptr;
    }
  } else if (!block_in(self, Stage::Fresh)) {
    return nullptr;
  }
  block->stage = Stage::Ready;
  return Py_NewRef(self);
}

PyObject* begin(PyObject*, PyObject* self) {
  Block* block = block_in(self, Stage::Ready);
  if (!block) return nullptr;
  Thread& thread = *block->thread;
  try {
    if (!thread.in_transaction()) {
      if (!block->outermost) block->outermost.emplace(thread, block->options);
      if (!block->outermost->begin()) {
        RaisedException raised = RaisedException::take();
        finish(block);
        raised.raise_again();
        return nullptr;
      }
    } else if (block->outermost) {
      return out_of_order();
    } else if (!may_nest(thread, block->options)) {
      return nullptr;
    } else {
      block->nested.emplace(thread, block->options);
    }
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  block->level = thread.level;
  block->stage = Stage::Running;
  Py_RETURN_NONE;
}

PyObject* enter(PyObject*, PyObject*) { Py_RETURN_NONE; }

// What an exception leaves is taken back by the handler around, which alone can have it run again.
PyObject* exit(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  if (!check_count("__exit__", count, 3)) return nullptr;
  if (args[0] != Py_None) Py_RETURN_FALSE;
  Block* block = block_in(self, Stage::Running);
  if (!block) return nullptr;
  if (block->nested) {
    if (block->nested->is_retry_target()) {  // swallowed
      raise_abort(*block->thread);
      return nullptr;
    }
    block->nested->end(nullptr);
  } else {
    block->stage = Stage::Over;  // finalisers run behind the commit
    const Commit commit = commit_attempt(*block->thread);
    if (commit == Commit::Refused) {
      block->stage = Stage::Running;
      if (!PyErr_Occurred()) raise_abort(*block->thread);
      return nullptr;
    }
    if (commit == Commit::DoneAndRaised) {
      RaisedException raised = RaisedException::take();
      finish(block);
      raised.raise_again();
      return nullptr;
    }
  }
  finish(block);
  Py_RETURN_FALSE;
}

// Waiting in retry(), its time is up. Takes the place of the abort that is being handled, and knows what was
// handled before that.
void raise_timeout(Block* block, PyObject* abort) {
  raise_retry_timeout(*block->thread, block->name.get());
  RaisedException raised = RaisedException::take();
  if (PyExceptionInstance_Check(abort)) PyException_SetContext(raised.get(), PyException_GetContext(abort));
  raised.raise_again();
}

TakenBack end_by(Block* block, PyObject* exception) {
  block->stage = Stage::Over;  // finalisers run behind the revert
  TakenBack taken_back = TakenBack::Leaves;
  if (block->nested) {
    const bool timed_out = block->nested->is_retry_target() && !always_propagates(exception);
    block->nested->end(exception);
    if (timed_out) {
      raise_timeout(block, exception);
      taken_back = TakenBack::Raised;
    }
  } else {
    taken_back = block->outermost->take_back(exception);
  }
  if (taken_back == TakenBack::RunsAgain) {
    block->stage = Stage::Aborted;
    return taken_back;
  }
  RaisedException raised = RaisedException::take();
  finish(block);
  raised.raise_again();
  return taken_back;
}

PyObject* aborted(PyObject*, PyObject* self) {
  const bool is_running = Py_TYPE(self) != block_type() || block_of(self)->stage == Stage::Running;
  if (is_running) {
    Block* block = block_in(self, Stage::Running);
    if (!block) return nullptr;
    const Ref exception = Ref::steal(PyErr_GetHandledException());
    if (!exception || exception.get() == Py_None) return out_of_order();
    const TakenBack taken_back = end_by(block, exception.get());
    if (taken_back == TakenBack::RunsAgain) return Py_NewRef(PyExc_BaseException);
    if (taken_back == TakenBack::Raised) return nullptr;
  }
  return PyTuple_New(0);  // matches nothing
}

PyObject* saved(PyObject*, PyObject* self) {
  Block* block = block_in(self, Stage::Aborted);
  if (!block) return nullptr;
  return block->saved ? Py_NewRef(block->saved.get()) : out_of_order();
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(block_of(self)->saved.get());
  return 0;
}

int clear(PyObject* self) {
  block_of(self)->saved = Ref();
  return 0;
}

// A block that was never left has been abandoned by a debugger, or by an exception in the middle of the
// generated code: what it did is taken back as far as nothing else has been opened since. On another thread
// nothing can be done for it.
void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Block* block = block_of(self);
  if (block->thread == this_thread_if_any()) {
    if (block->stage == Stage::Running && block->level == block->thread->level) {
      RaisedException raised = RaisedException::take();
      if (end_by(block, PyExc_BaseException) == TakenBack::Raised) PyErr_WriteUnraisable(nullptr);
      raised.raise_again();
    }
    block->outermost.~optional();
    block->nested.~optional();
  }
  block->arguments.~ConsumableArguments();
  block->saved.~Ref();
  block->name.~Ref();
  Py_TYPE(self)->tp_free(self);
}

PyMethodDef methods_of_type[] = {
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(exit)), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_block_type() {
  PyTypeObject type = unready_type("stmpy.AtomicBlock");
  type.tp_doc = "One execution of a 'with atomic():' block, for generated code.";
  type.tp_basicsize = sizeof(Block);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_dealloc = dealloc;
  type.tp_traverse = traverse;
  type.tp_clear = clear;
  type.tp_iter = PyObject_SelfIter;
  type.tp_iternext = next;
  type.tp_methods = methods_of_type;
  return type;
}

PyTypeObject* block_type() {
  static PyTypeObject type = make_block_type();
  return &type;
}

}  // namespace

PyMethodDef block_methods[] = {
    {"block_attempts", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(attempts)), METH_FASTCALL,
     "block_attempts(options, name[, locals, globals, *values]): iterates over the attempts of a block"},
    {"block_begin", begin, METH_O, "block_begin(block): an attempt, or a savepoint, begins"},
    {"block_aborted", aborted, METH_O,
     "block_aborted(block): takes back what an exception leaves; what matches if the block is to run again"},
    {"block_saved", saved, METH_O,
     "block_saved(block): the variables that the block binds, as they were before it"},
    {nullptr, nullptr, 0, nullptr},
};

int add_block(PyObject* module) {
  if (PyType_Ready(block_type()) < 0) return -1;
  unbound = PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type));
  return unbound ? PyModule_AddObjectRef(module, "unbound", unbound) : -1;
}

}  // namespace stmpy
