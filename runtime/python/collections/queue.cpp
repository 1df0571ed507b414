// The type of STMQueue: its methods, its life and death.

#include "runtime/python/collections/queue.h"

#include <iterator>
#include <new>

#include "runtime/python/compat.h"
#include "runtime/python/errors.h"
#include "runtime/python/retry.h"

namespace stmpy {
namespace {

// --- one try, in the transaction or as one

struct Put {
  static constexpr const char *kName = "STMQueue.put", *kFailure = "Full";
  // None, null where there was no room, or null with an exception.
  static PyObject* once(Thread& thread, PyObject* self, PyObject* item) {
    bool full = false;
    if (!in_writing_transaction(thread, self, [&] { return put_item(thread, self, item, full); }))
      return nullptr;
    core::Observer::empty_limbo();  // behind its look at a place of others
    return full ? nullptr : Py_NewRef(Py_None);
  }
};

struct Get {
  static constexpr const char *kName = "STMQueue.get", *kFailure = "Empty";
  static PyObject* once(Thread& thread, PyObject* self, PyObject*) {
    Ref item;
    if (!in_writing_transaction(thread, self, [&] { return get_item(thread, self, item); })) return nullptr;
    return item.release();
  }
};

struct Join {
  static constexpr const char *kName = "STMQueue.join", *kFailure = nullptr;  // it has no timeout
  static PyObject* once(Thread& thread, PyObject* self, PyObject*) {
    bool all_done;
    if (!in_one_transaction(thread, [&] { return read_all_done(thread, self, all_done); })) return nullptr;
    return all_done ? Py_NewRef(Py_None) : nullptr;
  }
};

// --- and waiting for what makes another one worth it

template <class Operation>
PyObject* or_retry(PyObject* self, PyObject* item) {
  Thread* const thread = this_thread();
  if (!thread) return nullptr;
  PyObject* const result = Operation::once(*thread, self, item);
  return result || PyErr_Occurred() ? result : raise_retry();
}

template <class Operation>
PyObject* wait_in_a_call(PyObject* self, PyObject* item, double timeout) {
  static PyMethodDef method = {Operation::kName, or_retry<Operation>, METH_O, nullptr};
  static PyObject* const name = PyUnicode_InternFromString(Operation::kName);
  const Ref call = name ? Ref::steal(PyCFunction_New(&method, self)) : Ref();
  if (!call) return nullptr;
  Options options;
  options.name = name;
  options.timeout = timeout;
  PyObject* const result = call_atomically(options, call.get(), &item, 1, nullptr);
  if (result || timeout < 0 || !PyErr_ExceptionMatches(errors::transaction_timeout)) return result;
  PyErr_Clear();
  return raise_of_queue(Operation::kFailure);
}

// `timeout` in seconds, negative: none.
template <class Operation>
PyObject* run(PyObject* self, PyObject* item, bool block, double timeout) {
  Thread* const thread = this_thread();
  if (!thread) return nullptr;
  if (block && timeout > 0) return wait_in_a_call<Operation>(self, item, timeout);
  PyObject* const result = Operation::once(*thread, self, item);
  if (result || PyErr_Occurred()) return result;
  if (!block || timeout == 0) return raise_of_queue(Operation::kFailure);
  return thread->in_transaction() ? raise_retry() : wait_in_a_call<Operation>(self, item, timeout);
}

bool to_timeout(PyObject* given, bool block, double& timeout) {
  timeout = -1;
  if (given == Py_None || !block) return true;
  timeout = PyFloat_AsDouble(given);
  if (timeout == -1 && PyErr_Occurred()) return false;
  if (timeout >= 0) return true;
  PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
  return false;
}

PyObject* put(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"item", "block", "timeout", nullptr};
  PyObject *item, *given = Py_None;
  int block = 1;
  double timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|pO:put", const_cast<char**>(names), &item, &block,
                                   &given) ||
      !to_timeout(given, block, timeout))
    return nullptr;
  return run<Put>(self, item, block, timeout);
}

PyObject* get(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"block", "timeout", nullptr};
  PyObject* given = Py_None;
  int block = 1;
  double timeout;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:get", const_cast<char**>(names), &block, &given) ||
      !to_timeout(given, block, timeout))
    return nullptr;
  return run<Get>(self, Py_None, block, timeout);
}

PyObject* put_nowait(PyObject* self, PyObject* item) { return run<Put>(self, item, false, -1); }
PyObject* get_nowait(PyObject* self, PyObject*) { return run<Get>(self, Py_None, false, -1); }
PyObject* join(PyObject* self, PyObject*) { return run<Join>(self, Py_None, true, -1); }

PyObject* task_done(PyObject* self, PyObject*) {
  Thread* const thread = this_thread();
  bool too_often = false;
  if (!thread ||
      !in_writing_transaction(*thread, self, [&] { return finish_item(*thread, self, too_often); }))
    return nullptr;
  if (!too_often) Py_RETURN_NONE;
  PyErr_SetString(PyExc_ValueError, "task_done() called too many times");
  return nullptr;
}

PyObject* shutdown(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"immediate", nullptr};
  int immediate = 0;
  Thread* const thread = this_thread();
  if (!thread ||
      !PyArg_ParseTupleAndKeywords(args, kwargs, "|p:shutdown", const_cast<char**>(names), &immediate) ||
      !in_writing_transaction(*thread, self, [&] { return close_queue(*thread, self, immediate); }))
    return nullptr;
  Py_RETURN_NONE;
}

// --- what is in it

bool size_of(PyObject* self, Py_ssize_t& size) {
  Thread* const thread = this_thread();
  if (!thread) return false;
  if (!thread->in_transaction()) return committed_queue_size(*thread, self, size);
  return in_one_transaction(*thread, [&] { return read_queue_size(*thread, self, size); });
}

PyObject* qsize(PyObject* self, PyObject*) {
  Py_ssize_t size;
  return size_of(self, size) ? PyLong_FromSsize_t(size) : nullptr;
}

PyObject* empty(PyObject* self, PyObject*) {
  Thread* const thread = this_thread();
  if (!thread) return nullptr;
  bool is_empty;
  if (thread->in_transaction()) {
    if (!in_one_transaction(*thread, [&] { return read_is_empty(*thread, self, is_empty); })) return nullptr;
  } else {
    Py_ssize_t size;
    if (!committed_queue_size(*thread, self, size)) return nullptr;
    is_empty = size == 0;
  }
  return PyBool_FromLong(is_empty);
}

PyObject* full(PyObject* self, PyObject*) {
  const Py_ssize_t maxsize = queue_of(self)->maxsize.load();
  if (maxsize <= 0) Py_RETURN_FALSE;
  Py_ssize_t size;
  return size_of(self, size) ? PyBool_FromLong(size >= maxsize) : nullptr;
}

PyObject* get_maxsize(PyObject* self, void*) {
  const Py_ssize_t maxsize = queue_of(self)->maxsize.load();
  return PyLong_FromSsize_t(maxsize == kUnset ? 0 : maxsize);
}

PyObject* reduce(PyObject* self, PyObject*) {
  Thread* const thread = this_thread();
  Ref items;
  if (!thread || !in_one_transaction(*thread, [&] { return read_items(*thread, self, items); }))
    return nullptr;
  const Ref maxsize = Ref::steal(get_maxsize(self, nullptr));
  if (!maxsize) return nullptr;
  return reduce_collection(self, "queue", Ref::steal(PyTuple_Pack(2, maxsize.get(), items.get())), Ref());
}

// --- life and death

PyObject* queue_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* const self = new_object(type);
  if (!self) return nullptr;
  Queue* const queue = queue_of(self);
  new (&queue->head) Cell;
  new (&queue->tail) Cell;
  new (&queue->size) Cell;
  new (&queue->done) Cell;
  new (&queue->cells) CellArray;
  new (&queue->maxsize) std::atomic<Py_ssize_t>(kUnset);
  new (&queue->likely_head) std::atomic<Cell*>(nullptr);
  return self;
}

int queue_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"maxsize", nullptr};
  Py_ssize_t maxsize = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|n:STMQueue", const_cast<char**>(names), &maxsize))
    return -1;
  if (maxsize < 0) maxsize = 0;
  if (maxsize >= kMostItems) maxsize = 0;
  Py_ssize_t before = kUnset;
  if (queue_of(self)->maxsize.compare_exchange_strong(before, maxsize) || before == maxsize)
    return end_init(self);
  PyErr_SetString(errors::usage_error, "the maxsize of an STMQueue is set once: make another queue");
  return -1;
}

template <class Visit>
int for_each_cell(PyObject* self, Visit visit) {
  Queue* const queue = queue_of(self);
  for (Cell* const cell : {&queue->head, &queue->tail, &queue->size, &queue->done}) {
    if (const int stop = visit(*cell)) return stop;
  }
  return queue->cells.for_each(visit);
}

int queue_traverse(PyObject* self, visitproc visit, void* arg) {
  const int stop = for_each_cell(self, [&](Cell& cell) {
    Py_VISIT(cell.peek());
    return 0;
  });
  return stop != 0 ? stop : stm_object_type->tp_traverse(self, visit, arg);
}

// Where the ends are stays: a finaliser finds places without items.
void clear_items(PyObject* self) { queue_of(self)->cells.clear(); }

int queue_clear(PyObject* self) {
  clear_items(self);
  return stm_object_type->tp_clear(self);
}

void free_own(PyObject* self) {
  for_each_cell(self, [](Cell& cell) {
    Py_XDECREF(cell.peek());
    return 0;
  });
  queue_of(self)->cells.free();
}

Ref name_of(PyObject* self, const core::Record* record) {
  const Queue* const queue = queue_of(self);
  if (record == &queue->head.record) return Ref::steal(PyUnicode_FromString("head"));
  if (record == &queue->tail.record) return Ref::steal(PyUnicode_FromString("tail"));
  if (record == &queue->size.record) return Ref::steal(PyUnicode_FromString("places"));
  if (record == &queue->done.record) return Ref::steal(PyUnicode_FromString("done"));
  std::size_t index;
  if (!queue->cells.index_of(record, index)) return Ref();
  return Ref::steal(PyUnicode_FromFormat(index % 2 ? "behind [%zu]" : "[%zu]", index / 2));
}

PyGetSetDef getsets[] = {
    {"maxsize", get_maxsize, nullptr, "How many items there may be; 0: any number.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

template <class Function>
PyCFunction as_method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {"empty", empty, METH_NOARGS, "empty($self, /)\n--\n\nTrue if there is no item."},
    {"full", full, METH_NOARGS, "full($self, /)\n--\n\nTrue if there are maxsize items."},
    {"get", as_method(get), METH_VARARGS | METH_KEYWORDS,
     "get($self, /, block=True, timeout=None)\n--\n\n"
     "Removes and returns the oldest item. Where there is none it waits for one, in a transaction by "
     "retry(): the "
     "transaction is taken back, and runs again when there may be one. Raises queue.Empty instead if block "
     "is false, or "
     "behind timeout seconds (ValueError if negative)."},
    {"get_nowait", get_nowait, METH_NOARGS, "get_nowait($self, /)\n--\n\nget(block=False)."},
    {"join", join, METH_NOARGS,
     "join($self, /)\n--\n\n"
     "Waits until task_done() was called for each item that was put; in a transaction by retry()."},
    {"put", as_method(put), METH_VARARGS | METH_KEYWORDS,
     "put($self, /, item, block=True, timeout=None)\n--\n\n"
     "Puts an item behind the newest one. Where there are maxsize items it waits for room, in a transaction "
     "by retry(). "
     "Raises queue.Full instead if block is false, or behind timeout seconds (ValueError if negative)."},
    {"put_nowait", put_nowait, METH_O, "put_nowait($self, item, /)\n--\n\nput(item, block=False)."},
    {"qsize", qsize, METH_NOARGS,
     "qsize($self, /)\n--\n\nHow many items there are. In a transaction this conflicts with every put and "
     "get."},
    {"task_done", task_done, METH_NOARGS,
     "task_done($self, /)\n--\n\n"
     "Says that an item which was got is done, for join(). ValueError if all items that were put are done "
     "already. Two transactions that call it conflict."},
    {"shutdown", as_method(shutdown), METH_VARARGS | METH_KEYWORDS,
     "shutdown($self, /, immediate=False)\n--\n\n"
     "Nothing can be put any more: put raises queue.ShutDown, and so does get once the queue is empty. With "
     "immediate it is emptied at once, and what was in it counts as done."},
    {nullptr, nullptr, 0, nullptr},
};
// The exception that shutdown() is about is in the standard library, as the method is, from 3.13 on.
void leave_out_shutdown() { std::end(methods)[-2] = {}; }

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.STMQueue");
  type.tp_doc =
      "STMQueue(maxsize=0)\n--\n\n"
      "A queue of transactions, first in first out, with the methods of queue.Queue. "
      "A transaction that puts and one that gets do not conflict unless it is empty or full; two that put "
      "do, and two "
      "that get. What a transaction puts is seen when it commits, and what it gets is back when it is "
      "reverted.";
  type.tp_basicsize = sizeof(Queue);
  type.tp_flags = kCollectionFlags;
  type.tp_new = queue_new;
  type.tp_init = queue_init;
  type.tp_dealloc = dealloc_collection<clear_items, free_own>;
  type.tp_traverse = queue_traverse;
  type.tp_clear = queue_clear;
  type.tp_getset = getsets;
  type.tp_methods = methods;
  return type;
}
PyTypeObject the_type;

}  // namespace

PyTypeObject* const queue_type = &the_type;

PyObject* raise_of_queue(const char* name) {
  const Ref module = Ref::steal(PyImport_ImportModule("queue"));
  const Ref type = module ? Ref::steal(PyObject_GetAttrString(module.get(), name)) : Ref();
  if (type) PyErr_SetNone(type.get());
  return nullptr;
}

int add_queue(PyObject* module) {
  if constexpr (!kHasShutDown) leave_out_shutdown();
  the_type = make_type();
  return add_collection(module, {queue_type, name_of}, nullptr);
}

}  // namespace stmpy
