// The methods of STMList, and what its operators share with them.

#include <algorithm>
#include <vector>

#include "runtime/python/call.h"
#include "runtime/python/collections/list.h"

namespace stmpy {
namespace {

using Args = PyObject* const*;

template <class Function>
PyCFunction as_method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyObject* none_if(bool done) {
  if (!done) return nullptr;
  Py_RETURN_NONE;
}

bool is_count(const char* method, Py_ssize_t count, Py_ssize_t least, Py_ssize_t most) {
  if (count >= least && count <= most) return true;
  PyErr_Format(PyExc_TypeError, "%s expected %s %zd argument%s, got %zd", method,
               least == most   ? "exactly"
               : count < least ? "at least"
                               : "at most",
               count < least ? least : most, (count < least ? least : most) == 1 ? "" : "s", count);
  return false;
}

bool to_index(PyObject* number, Py_ssize_t& index) {
  index = PyNumber_AsSsize_t(number, PyExc_IndexError);
  return index != -1 || !PyErr_Occurred();
}

PyObject* append(PyObject* self, PyObject* value) {
  return none_if(change_list(self, [&](Thread& thread) {
    std::size_t length;
    const Done done = own_length(thread, self, length);
    return done == Done::Yes ? splice(thread, self, length, length, length, &value, 1) : done;
  }));
}

PyObject* insert(PyObject* self, Args args, Py_ssize_t count) {
  Py_ssize_t index;
  if (!is_count("insert", count, 2, 2) || !to_index(args[0], index)) return nullptr;
  return none_if(change_list(self, [&](Thread& thread) {
    std::size_t length;
    const Done done = own_length(thread, self, length);
    if (done != Done::Yes) return done;
    const auto signed_length = static_cast<Py_ssize_t>(length);
    const Py_ssize_t from_start = index < 0 ? index + signed_length : index;
    const auto at = static_cast<std::size_t>(std::clamp<Py_ssize_t>(from_start, 0, signed_length));
    return splice(thread, self, length, at, at, &args[1], 1);
  }));
}

PyObject* pop(PyObject* self, Args args, Py_ssize_t count) {
  Py_ssize_t index = -1;
  if (!is_count("pop", count, 0, 1) || (count == 1 && !to_index(args[0], index))) return nullptr;
  Ref popped;
  const bool done = change_list(self, [&](Thread& thread) {
    std::size_t length;
    const Done owned = own_length(thread, self, length);
    if (owned != Done::Yes) return owned;
    const auto signed_length = static_cast<Py_ssize_t>(length);
    const Py_ssize_t from_start = index < 0 ? index + signed_length : index;
    if (from_start < 0 || from_start >= signed_length) {
      PyErr_SetString(PyExc_IndexError, length == 0 ? "pop from empty list" : "pop index out of range");
      return Done::Failed;
    }
    const auto at = static_cast<std::size_t>(from_start);
    Cell& cell = *list_of(self)->cells.find(at);
    if (const Done own = own_cell(thread, self, cell); own != Done::Yes) return own;
    popped = Ref::borrow(cell.peek());
    return splice(thread, self, length, at, at + 1, nullptr, 0);
  });
  return done ? popped.release() : nullptr;
}

PyObject* clear(PyObject* self, PyObject*) {
  return none_if(change_list(self, [&](Thread& thread) {
    std::size_t length;
    const Done done = own_length(thread, self, length);
    return done == Done::Yes ? splice(thread, self, length, 0, length, nullptr, 0) : done;
  }));
}

PyObject* reverse(PyObject* self, PyObject*) {
  return none_if(change_list(self, [&](Thread& thread) {
    Ref items;
    if (const Done done = collect(thread, self, kAll, items); done != Done::Yes) return done;
    if (PyList_Reverse(items.get()) < 0) return Done::Failed;
    const std::size_t length = count_of(items);
    return splice(thread, self, length, 0, length, items_in(items), length);
  }));
}

PyObject* extend(PyObject* self, PyObject* iterable) {
  const Ref done = Ref::steal(extend_in_place(self, iterable));
  return none_if(static_cast<bool>(done));
}

PyObject* copy(PyObject* self, PyObject*) {
  const Ref items = items_of(self);
  return items ? new_list(items_in(items), count_of(items)) : nullptr;
}

// What only looks is a list's own method, on a list of the elements at one moment.
template <const char* kMethod>
PyObject* of_a_list(PyObject* self, PyObject* args) {
  const Ref items = items_of(self);
  const Ref method = items ? Ref::steal(PyObject_GetAttrString(items.get(), kMethod)) : Ref();
  return method ? PyObject_CallObject(method.get(), args) : nullptr;
}
constexpr char kCount[] = "count", kIndex[] = "index";

// --- what calls code of the user's and then changes the list is a call of its own where it is outside

using Method = PyObject* (*)(PyObject*, Args, Py_ssize_t, PyObject*);
PyObject* remove(PyObject*, Args, Py_ssize_t, PyObject*);
PyObject* sort(PyObject*, Args, Py_ssize_t, PyObject*);

template <Method kMethod>
PyObject* in_one_call(PyObject* self, Args args, Py_ssize_t count, PyObject* keywords) {
  Thread* const thread = this_thread();
  if (!thread) return nullptr;
  if (thread->in_transaction()) return kMethod(self, args, count, keywords);
  static PyMethodDef method = {"STMList", as_method(kMethod), METH_FASTCALL | METH_KEYWORDS, nullptr};
  static PyObject* const name =
      PyUnicode_InternFromString(kMethod == sort ? "STMList.sort" : "STMList.remove");
  const Ref call = name ? Ref::steal(PyCFunction_New(&method, self)) : Ref();
  Options options;
  options.name = name;
  return call ? call_atomically(options, call.get(), args, static_cast<std::size_t>(count), keywords)
              : nullptr;
}

PyObject* remove(PyObject* self, Args args, Py_ssize_t count, PyObject*) {
  if (!is_count("remove", count, 1, 1)) return nullptr;
  bool missing = false;
  for (Py_ssize_t index = 0; !missing; ++index) {
    const Ref element = Ref::steal(element_at(self, index, missing));
    if (!element && !missing) return nullptr;
    const int equal = element ? PyObject_RichCompareBool(element.get(), args[0], Py_EQ) : 0;
    if (equal < 0) return nullptr;
    if (equal == 0) continue;
    return none_if(change_list(self, [&](Thread& thread) {
      std::size_t length;
      const Done done = own_length(thread, self, length);
      if (done != Done::Yes) return done;
      const std::size_t start = std::min(static_cast<std::size_t>(index), length);
      return splice(thread, self, length, start, std::min(start + 1, length), nullptr, 0);
    }));
  }
  PyErr_SetString(PyExc_ValueError, "list.remove(x): x not in list");
  return nullptr;
}

// Sorted is a copy; what the key or a comparison does to the list meanwhile is found out behind it.
PyObject* sort(PyObject* self, Args args, Py_ssize_t count, PyObject* keywords) {
  const Ref before = items_of(self);
  const Ref sorted = before ? Ref::steal(PyList_GetSlice(before.get(), 0, PY_SSIZE_T_MAX)) : Ref();
  const Ref method = sorted ? Ref::steal(PyObject_GetAttrString(sorted.get(), "sort")) : Ref();
  const Ref done =
      method ? Ref::steal(PyObject_Vectorcall(method.get(), args, static_cast<std::size_t>(count), keywords))
             : Ref();
  if (!done) return nullptr;
  bool modified = false;
  const bool changed = change_list(self, [&](Thread& thread) {
    Ref now;
    if (const Done read = collect(thread, self, kAll, now); read != Done::Yes) return read;
    PyObject* const* const old = items_in(now);
    PyObject* const* const items = items_in(sorted);
    std::size_t start = 0, length = count_of(now), end = count_of(sorted);
    modified = length != end || !std::equal(old, old + length, items_in(before));
    if (modified) return splice(thread, self, length, 0, length, items, end);
    while (start < end && old[start] == items[start]) ++start;
    while (start < end && old[end - 1] == items[end - 1]) --end;
    return splice(thread, self, length, start, end, items + start, end - start);
  });
  if (!changed) return nullptr;
  if (!modified) Py_RETURN_NONE;
  PyErr_SetString(PyExc_ValueError, "list modified during sort");
  return nullptr;
}

PyObject* reduce(PyObject* self, PyObject*) {
  const Ref items = items_of(self);
  Ref iterator = items ? Ref::steal(PyObject_GetIter(items.get())) : Ref();
  return iterator ? reduce_collection(self, "empty", Ref::steal(PyTuple_New(0)), std::move(iterator))
                  : nullptr;
}

PyObject* size_of(PyObject* self, PyObject*) {
  auto* const base_type = reinterpret_cast<PyObject*>(stm_object_type);
  const Ref base = Ref::steal(PyObject_CallMethod(base_type, "__sizeof__", "O", self));
  return base ? PyLong_FromSize_t(PyLong_AsSize_t(base.get()) + list_of(self)->cells.memory()) : nullptr;
}

PyObject* reversed(PyObject* self, PyObject*) { return iterate_list(self, true); }

}  // namespace

PyMethodDef list_methods[] = {
    {"__reduce__", reduce, METH_NOARGS, "Helper for pickle."},
    {"__sizeof__", size_of, METH_NOARGS, "Size of object in memory, in bytes."},
    {"__reversed__", reversed, METH_NOARGS, "Return a reverse iterator over the list."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585."},
    {"append", append, METH_O, "append($self, object, /)\n--\n\nAppend object to the end of the list."},
    {"clear", clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from list."},
    {"copy", copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of the list, an STMList."},
    {"count", of_a_list<kCount>, METH_VARARGS,
     "count($self, value, /)\n--\n\nReturn number of occurrences of value."},
    {"extend", extend, METH_O,
     "extend($self, iterable, /)\n--\n\nExtend list by appending elements from the iterable: all of them, or "
     "none "
     "where it raises."},
    {"index", of_a_list<kIndex>, METH_VARARGS,
     "index($self, value, start=0, stop=sys.maxsize, /)\n--\n\nReturn first index of value.\n\nRaises "
     "ValueError if "
     "the value is not present."},
    {"insert", as_method(insert), METH_FASTCALL,
     "insert($self, index, object, /)\n--\n\nInsert object before index."},
    {"pop", as_method(pop), METH_FASTCALL,
     "pop($self, index=-1, /)\n--\n\nRemove and return item at index (default last).\n\nRaises IndexError if "
     "list is "
     "empty or index is out of range."},
    {"remove", as_method(in_one_call<remove>), METH_FASTCALL | METH_KEYWORDS,
     "remove($self, value, /)\n--\n\nRemove first occurrence of value.\n\nRaises ValueError if the value is "
     "not "
     "present."},
    {"reverse", reverse, METH_NOARGS, "reverse($self, /)\n--\n\nReverse *IN PLACE*."},
    {"sort", as_method(in_one_call<sort>), METH_FASTCALL | METH_KEYWORDS,
     "sort($self, /, *, key=None, reverse=False)\n--\n\nSort the list in ascending order, stable. Outside of "
     "transactions this is one, which may call the key and compare again. Raises ValueError where they "
     "change the "
     "list; where they raise, the list is as before."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
