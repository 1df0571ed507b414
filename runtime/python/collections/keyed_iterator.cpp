#include "runtime/python/collections/keyed_iterator.h"

#include <algorithm>
#include <new>

#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

struct Iterator {
  PyObject_HEAD PyObject* owner;  // until it has ended. Used by the thread that made it, and no other
  const core::Descriptor* maker;
  std::vector<Item> items;
  std::atomic<std::size_t> next;
  Shows shows;
  // Of the transaction that made it, or none.
  core::Attempt attempt;
  Py_ssize_t size;
};
Iterator& iterator(PyObject* self) { return *reinterpret_cast<Iterator*>(self); }

PyObject* shown(const Iterator& of, const Item& item, PyObject* value) {
  if (of.shows == Shows::Keys || of.shows == Shows::Elements) return Py_NewRef(item.key.get());
  if (of.shows == Shows::Values) return Py_NewRef(value);
  return PyTuple_Pack(2, item.key.get(), value);
}

// The key that was shown last or the one that comes now, whose places others have taken then.
bool keys_are_gone(const Iterator& of) {
  const std::size_t index = of.next.load(std::memory_order_relaxed);
  const auto is_gone = [&](std::size_t at) {
    return at < of.items.size() && !of.items[at].entry->cell.peek();
  };
  return is_gone(index) || (index > 0 && is_gone(index - 1));
}

PyObject* next(PyObject* self) {
  Iterator& of = iterator(self);
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  const bool same_attempt =
      of.attempt && thread->in_transaction() && thread->descriptor.current() == of.attempt && of.owner;
  if (same_attempt) {
    const Py_ssize_t size = size_of(of.owner);
    if (size < 0) return nullptr;
    const bool of_set = of.shows == Shows::Elements;
    const char* changed = nullptr;
    if (size != of.size) {
      changed = of_set ? "Set changed size during iteration" : "dictionary changed size during iteration";
    } else if (!of_set && keys_are_gone(of)) {
      changed = "dictionary keys changed during iteration";
    }
    if (changed) {
      of.size = -1;  // it stays so
      PyErr_SetString(PyExc_RuntimeError, changed);
      return nullptr;
    }
  }
  if (of.next.load(std::memory_order_relaxed) >= of.items.size()) {
    if (of.maker == &thread->descriptor) Py_CLEAR(of.owner);
    return nullptr;
  }
  const std::size_t index = of.next.fetch_add(1, std::memory_order_relaxed);
  if (index >= of.items.size()) return nullptr;
  const Item& item = of.items[index];
  // What the transaction holds cannot have been changed by others.
  PyObject* const now = same_attempt ? item.entry->cell.peek() : nullptr;
  const Ref value = Ref::borrow(now ? now : item.value.get());
  return shown(of, item, value.get());
}

PyObject* length_hint(PyObject* self, PyObject*) {
  const Iterator& of = iterator(self);
  return PyLong_FromSize_t(of.items.size() -
                           std::min(of.items.size(), of.next.load(std::memory_order_relaxed)));
}

// What is left, as a list's iterator.
PyObject* reduce(PyObject* self, PyObject*) {
  const Iterator& of = iterator(self);
  const Ref left = Ref::steal(PyList_New(0));
  for (std::size_t index = of.next.load(std::memory_order_relaxed); left && index < of.items.size();
       ++index) {
    const Ref one = Ref::steal(shown(of, of.items[index], of.items[index].value.get()));
    if (!one || PyList_Append(left.get(), one.get()) < 0) return nullptr;
  }
  const Ref builtins = Ref::steal(PyImport_ImportModule("builtins"));
  const Ref iter = left && builtins ? Ref::steal(PyObject_GetAttrString(builtins.get(), "iter")) : Ref();
  return iter ? Py_BuildValue("O(O)", iter.get(), left.get()) : nullptr;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(iterator(self).owner);
  for (const Item& item : iterator(self).items) {
    Py_VISIT(item.key.get());
    Py_VISIT(item.value.get());
  }
  return 0;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Iterator& of = iterator(self);
  Py_CLEAR(of.owner);
  of.items.~vector();
  PyObject_GC_Del(self);
}

PyMethodDef methods[] = {
    {"__length_hint__", length_hint, METH_NOARGS, "How many are left."},
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_type() {
  PyTypeObject type = unready_type("stmpy.collection_iterator");
  type.tp_basicsize = sizeof(Iterator);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION;
  type.tp_dealloc = dealloc;
  type.tp_traverse = traverse;
  type.tp_iter = PyObject_SelfIter;
  type.tp_iternext = next;
  type.tp_methods = methods;
  return type;
}
PyTypeObject iterator_type = make_type();

}  // namespace

PyObject* make_iterator(PyObject* owner, Shows shows, bool reversed) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  std::vector<Item> items;
  if (!items_of(owner, items)) return nullptr;
  if (reversed) std::reverse(items.begin(), items.end());
  Iterator* const made = PyObject_GC_New(Iterator, &iterator_type);
  if (!made) return nullptr;
  made->owner = Py_NewRef(owner);
  made->maker = &thread->descriptor;
  made->size = static_cast<Py_ssize_t>(items.size());
  new (&made->items) std::vector<Item>(std::move(items));
  new (&made->next) std::atomic<std::size_t>(0);
  new (&made->attempt) core::Attempt(
      thread->in_transaction() && !is_unrecorded(*thread) ? thread->descriptor.current() : core::Attempt{});
  made->shows = shows;
  auto* const object = reinterpret_cast<PyObject*>(made);
  PyObject_GC_Track(object);
  return object;
}

int ready_iterator_type() { return PyType_Ready(&iterator_type); }

}  // namespace stmpy
