#include "runtime/python/compiled.h"

#include "runtime/python/attempts.h"
#include "runtime/python/instance.h"
#include "runtime/python/object.h"

namespace stmpy {
namespace {

using Args = PyObject* const*;

constexpr std::uint8_t kPlainCell = Lookup::kCell | Lookup::kPlainGet | Lookup::kPlainSet;

// What an access of `object.name` is, as far as it is an attribute that a cell answers without any code of
// the user's.
struct Place {
  Thread* thread = nullptr;
  Cell* cell = nullptr;  // null: plain attribute access is right
};

[[gnu::noinline]] Place find_place_slowly(PyObject* object, PyObject* name, std::uint8_t flags) {
  Thread* thread = this_thread();
  if (!thread) {
    PyErr_Clear();
    return {};
  }
  if (!PyUnicode_CheckExact(name) || !PyUnicode_CHECK_INTERNED(name)) return {};
  const Lookup found = thread->lookups.fill(Py_TYPE(object), name);
  return (found.flags & flags) == flags ? Place{thread, found.cell_in(shell_of(object))} : Place{};
}

[[gnu::always_inline]] inline Place find_place(PyObject* object, PyObject* name, std::uint8_t flags) {
  Thread* thread = this_thread_if_any();
  const Lookup* lookup = thread ? thread->lookups.find(Py_TYPE(object), name) : nullptr;
  if (!lookup) return find_place_slowly(object, name, flags);
  if ((lookup->flags & flags) != flags) return {};
  return {thread, lookup->cell_in(shell_of(object))};
}

PyObject* load(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("load", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], Lookup::kCell | Lookup::kPlainGet);
  if (place.cell) {
    PyObject* value = nullptr;
    const Done done = read_cell_fast(*place.thread, args[0], *place.cell, value);
    if (done == Done::Failed || value) return value;
  }
  return PyObject_GetAttr(args[0], args[1]);
}

// The opens return what plain attribute access is right on, for one access that follows at once: the payload
// where its cell has been acquired and has a value, else the object itself.
PyObject* opened(Done acquired, PyObject* object, const Cell& cell) {
  if (acquired == Done::Failed) return nullptr;
  const bool direct = acquired == Done::Yes && cell.peek();
  return Py_NewRef(direct ? reinterpret_cast<PyObject*>(shell_of(object)->payload) : object);
}

PyObject* open_read(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_read", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], Lookup::kCell | Lookup::kPlainGet);
  if (!place.cell || !place.thread->in_transaction()) return Py_NewRef(args[0]);
  PyObject* value = nullptr;
  const Done acquired = read_cell_fast(*place.thread, args[0], *place.cell, value);
  Py_XDECREF(value);  // the cell keeps it
  return opened(acquired, args[0], *place.cell);
}

PyObject* open_write(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_write", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], Lookup::kCell | Lookup::kPlainSet);
  if (!place.cell || !place.thread->in_transaction()) return Py_NewRef(args[0]);
  return opened(own_cell(*place.thread, args[0], *place.cell), args[0], *place.cell);
}

// Between the load and the store of an augmented assignment any code may run, so both are made on the object
// itself.
PyObject* open_update(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_update", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], kPlainCell);
  if (place.cell && place.thread->in_transaction() &&
      !core::holds_logged(place.thread->descriptor, place.cell->record) &&
      read_cell_for_update(*place.thread, args[0], *place.cell) == Done::Failed) {
    return nullptr;
  }
  return Py_NewRef(args[0]);
}

// An attribute that goes changes the structure of the object: always on the object itself.
PyObject* open_delete(PyObject*, Args args, Py_ssize_t count) {
  return check_count("open_delete", count, 2) ? Py_NewRef(args[0]) : nullptr;
}

// Operators on exact values of these types run no code of the user's.
[[gnu::noinline]] bool runs_no_code(PyObject* value) {
  return PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) ||
         PyBytes_CheckExact(value) || PyBool_Check(value);
}
[[gnu::always_inline]] inline bool runs_no_code(PyObject* value, PyObject* operand) {
  return (PyLong_CheckExact(value) && PyLong_CheckExact(operand)) ||
         (runs_no_code(value) && runs_no_code(operand));
}

using Operator = PyObject* (*)(PyObject*, PyObject*);

// Integers with integers are most of what is added and subtracted: their own slot, without the search for it.
template <Operator kOperator>
PyObject* apply(PyObject* value, PyObject* operand) {
  if constexpr (kOperator == PyNumber_InPlaceAdd || kOperator == PyNumber_InPlaceSubtract) {
    if (PyLong_CheckExact(value) && PyLong_CheckExact(operand)) {
      const PyNumberMethods* integers = PyLong_Type.tp_as_number;
      return (kOperator == PyNumber_InPlaceAdd ? integers->nb_add : integers->nb_subtract)(value, operand);
    }
  }
  return kOperator(value, operand);
}

[[gnu::noinline]] PyObject* update_plainly(PyObject* object, PyObject* name, PyObject* operand,
                                           Operator apply_operator) {
  Ref value = Ref::steal(PyObject_GetAttr(object, name));
  Ref result = value ? Ref::steal(apply_operator(value.get(), operand)) : Ref();
  if (!result || PyObject_SetAttr(object, name, result.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

template <Operator kOperator>
PyObject* update(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("an in-place operator", count, 3)) return nullptr;
  PyObject *object = args[0], *name = args[1], *operand = args[2];
  const Place place = find_place(object, name, kPlainCell);
  if (place.cell && place.thread->in_transaction()) {
    Cell& cell = *place.cell;
    Ownership ownership;
    const Done owned = own_cell_unlogged(*place.thread, object, cell, ownership);
    if (owned == Done::Failed) return nullptr;
    PyObject* value = cell.peek();
    if (owned == Done::Yes && value && runs_no_code(value, operand)) {
      PyObject* result = apply<kOperator>(value, operand);
      // The log takes over the cell's reference, or has one of its own where the value stays.
      if (ownership.log) log_cell(*place.thread, object, cell, result ? value : Py_NewRef(value), ownership);
      if (!result) return nullptr;
      cell.value.store(result, core::kRelease);
      if (!ownership.log) Py_DECREF(value);
      Py_RETURN_NONE;
    }
    if (owned == Done::Yes && ownership.log)
      log_cell(*place.thread, object, cell, Py_XNewRef(value), ownership);
  }
  return update_plainly(object, name, operand, kOperator);
}

PyObject* in_place_power(PyObject* base, PyObject* exponent) {
  return PyNumber_InPlacePower(base, exponent, Py_None);
}

template <class Function>
constexpr PyCFunction fast(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

PyMethodDef compiled_methods[] = {
    {"load", fast(load), METH_FASTCALL, "load(object, name): object.name"},
    {"open_read", fast(open_read), METH_FASTCALL, "open_read(object, name): what .name is loaded from"},
    {"open_write", fast(open_write), METH_FASTCALL, "open_write(object, name): what .name is stored on"},
    {"open_update", fast(open_update), METH_FASTCALL,
     "open_update(object, name): what .name is loaded from, then stored on"},
    {"open_delete", fast(open_delete), METH_FASTCALL,
     "open_delete(object, name): what .name is deleted from"},
    {"iadd", fast(update<PyNumber_InPlaceAdd>), METH_FASTCALL,
     "iadd(object, name, value): object.name += value"},
    {"isub", fast(update<PyNumber_InPlaceSubtract>), METH_FASTCALL,
     "isub(object, name, value): object.name -= value"},
    {"imul", fast(update<PyNumber_InPlaceMultiply>), METH_FASTCALL,
     "imul(object, name, value): object.name *= value"},
    {"imatmul", fast(update<PyNumber_InPlaceMatrixMultiply>), METH_FASTCALL,
     "imatmul(object, name, value): object.name @= value"},
    {"itruediv", fast(update<PyNumber_InPlaceTrueDivide>), METH_FASTCALL,
     "itruediv(object, name, value): object.name /= value"},
    {"ifloordiv", fast(update<PyNumber_InPlaceFloorDivide>), METH_FASTCALL,
     "ifloordiv(object, name, value): object.name //= value"},
    {"imod", fast(update<PyNumber_InPlaceRemainder>), METH_FASTCALL,
     "imod(object, name, value): object.name %= value"},
    {"ipow", fast(update<in_place_power>), METH_FASTCALL, "ipow(object, name, value): object.name **= value"},
    {"ilshift", fast(update<PyNumber_InPlaceLshift>), METH_FASTCALL,
     "ilshift(object, name, value): object.name <<= value"},
    {"irshift", fast(update<PyNumber_InPlaceRshift>), METH_FASTCALL,
     "irshift(object, name, value): object.name >>= value"},
    {"iand", fast(update<PyNumber_InPlaceAnd>), METH_FASTCALL,
     "iand(object, name, value): object.name &= value"},
    {"ixor", fast(update<PyNumber_InPlaceXor>), METH_FASTCALL,
     "ixor(object, name, value): object.name ^= value"},
    {"ior", fast(update<PyNumber_InPlaceOr>), METH_FASTCALL,
     "ior(object, name, value): object.name |= value"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
