#include "runtime/python/compiled.h"

#include "runtime/python/attempts.h"
#include "runtime/python/instance.h"
#include "runtime/python/object.h"

namespace stmpy {
namespace {

using Args = PyObject* const*;

constexpr std::uint8_t kPlainCell = Lookup::kCell | Lookup::kPlainGet | Lookup::kPlainSet;

// What an access of `object.name` is, as far as it is an attribute that a cell answers without any code of the user's.
struct Place {
  Thread* thread = nullptr;
  Cell* cell = nullptr;  // null: plain attribute access is right
};

Place find_place(PyObject* object, PyObject* name, std::uint8_t flags) {
  Thread* thread = this_thread_if_any();
  PyTypeObject* type = Py_TYPE(object);
  if (thread) {
    if (const Lookup* lookup = thread->lookups.find(type, name)) {
      if ((lookup->flags & flags) != flags) return {};
      return {thread, lookup->cell_in(shell_of(object))};
    }
  } else if (!(thread = this_thread())) {
    PyErr_Clear();
    return {};
  }
  if (!PyUnicode_CheckExact(name) || !PyUnicode_CHECK_INTERNED(name)) return {};
  const Lookup found = thread->lookups.fill(type, name);
  return (found.flags & flags) == flags ? Place{thread, found.cell_in(shell_of(object))} : Place{};
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

// The opens return what plain attribute access is right on, for one access that follows at once: the payload where its cell
// has been acquired and has a value, else the object itself.
PyObject* payload_or_object(PyObject* object, const Cell& cell) {
  return Py_NewRef(cell.peek() ? reinterpret_cast<PyObject*>(shell_of(object)->payload) : object);
}

PyObject* open_read(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_read", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], Lookup::kCell | Lookup::kPlainGet);
  if (!place.cell || !place.thread->in_transaction()) return Py_NewRef(args[0]);
  PyObject* value = nullptr;
  switch (read_cell_fast(*place.thread, args[0], *place.cell, value)) {
    case Done::Yes:
      Py_XDECREF(value);  // the cell keeps it
      return payload_or_object(args[0], *place.cell);
    case Done::Again:
      return Py_NewRef(args[0]);
    case Done::Failed:
      break;
  }
  return nullptr;
}

PyObject* open_write(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_write", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], Lookup::kCell | Lookup::kPlainSet);
  if (!place.cell || !place.thread->in_transaction()) return Py_NewRef(args[0]);
  switch (own_cell(*place.thread, args[0], *place.cell)) {
    case Done::Yes:
      return payload_or_object(args[0], *place.cell);
    case Done::Again:
      return Py_NewRef(args[0]);
    case Done::Failed:
      break;
  }
  return nullptr;
}

// Between the load and the store of an augmented assignment any code may run, so both are made on the object itself.
PyObject* open_update(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("open_update", count, 2)) return nullptr;
  const Place place = find_place(args[0], args[1], kPlainCell);
  if (place.cell && place.thread->in_transaction() && !core::holds_logged(place.thread->descriptor, place.cell->record) &&
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
bool runs_no_code(PyObject* value) {
  return PyLong_CheckExact(value) || PyFloat_CheckExact(value) || PyUnicode_CheckExact(value) || PyBytes_CheckExact(value) ||
         PyBool_Check(value);
}

using Operator = PyObject* (*)(PyObject*, PyObject*);

template <Operator kOperator>
PyObject* update(PyObject*, Args args, Py_ssize_t count) {
  if (!check_count("an in-place operator", count, 3)) return nullptr;
  PyObject *object = args[0], *name = args[1], *operand = args[2];
  const Place place = find_place(object, name, kPlainCell);
  if (place.cell && place.thread->in_transaction()) {
    const Done owned = own_cell(*place.thread, object, *place.cell);
    if (owned == Done::Failed) return nullptr;
    PyObject* value = place.cell->peek();
    if (owned == Done::Yes && value && runs_no_code(value) && runs_no_code(operand)) {
      PyObject* result = kOperator(value, operand);
      if (!result) return nullptr;
      place.cell->value.store(result, core::kRelease);
      Py_DECREF(value);
      Py_RETURN_NONE;
    }
  }
  Ref value = Ref::steal(PyObject_GetAttr(object, name));
  Ref result = value ? Ref::steal(kOperator(value.get(), operand)) : Ref();
  if (!result || PyObject_SetAttr(object, name, result.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* in_place_power(PyObject* base, PyObject* exponent) { return PyNumber_InPlacePower(base, exponent, Py_None); }

template <class Function>
constexpr PyCFunction fast(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace

PyMethodDef compiled_methods[] = {
    {"load", fast(load), METH_FASTCALL, "load(object, name): object.name"},
    {"open_read", fast(open_read), METH_FASTCALL, "open_read(object, name): what .name is loaded from"},
    {"open_write", fast(open_write), METH_FASTCALL, "open_write(object, name): what .name is stored on"},
    {"open_update", fast(open_update), METH_FASTCALL, "open_update(object, name): what .name is loaded from, then stored on"},
    {"open_delete", fast(open_delete), METH_FASTCALL, "open_delete(object, name): what .name is deleted from"},
    {"iadd", fast(update<PyNumber_InPlaceAdd>), METH_FASTCALL, "iadd(object, name, value): object.name += value"},
    {"isub", fast(update<PyNumber_InPlaceSubtract>), METH_FASTCALL, "isub(object, name, value): object.name -= value"},
    {"imul", fast(update<PyNumber_InPlaceMultiply>), METH_FASTCALL, "imul(object, name, value): object.name *= value"},
    {"imatmul", fast(update<PyNumber_InPlaceMatrixMultiply>), METH_FASTCALL, "imatmul(object, name, value): object.name @= value"},
    {"itruediv", fast(update<PyNumber_InPlaceTrueDivide>), METH_FASTCALL, "itruediv(object, name, value): object.name /= value"},
    {"ifloordiv", fast(update<PyNumber_InPlaceFloorDivide>), METH_FASTCALL, "ifloordiv(object, name, value): object.name //= value"},
    {"imod", fast(update<PyNumber_InPlaceRemainder>), METH_FASTCALL, "imod(object, name, value): object.name %= value"},
    {"ipow", fast(update<in_place_power>), METH_FASTCALL, "ipow(object, name, value): object.name **= value"},
    {"ilshift", fast(update<PyNumber_InPlaceLshift>), METH_FASTCALL, "ilshift(object, name, value): object.name <<= value"},
    {"irshift", fast(update<PyNumber_InPlaceRshift>), METH_FASTCALL, "irshift(object, name, value): object.name >>= value"},
    {"iand", fast(update<PyNumber_InPlaceAnd>), METH_FASTCALL, "iand(object, name, value): object.name &= value"},
    {"ixor", fast(update<PyNumber_InPlaceXor>), METH_FASTCALL, "ixor(object, name, value): object.name ^= value"},
    {"ior", fast(update<PyNumber_InPlaceOr>), METH_FASTCALL, "ior(object, name, value): object.name |= value"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
