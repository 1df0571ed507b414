#include "runtime/python/compiled.h"

#include "runtime/python/instance.h"
#include "runtime/python/invariants.h"
#include "runtime/python/object.h"
#include "runtime/python/payload.h"

namespace stmpy {
namespace {

using Args = PyObject* const*;

constexpr std::uint8_t kPlainCell = Lookup::kCell | Lookup::kPlainGet | Lookup::kPlainSet;
constexpr std::uint8_t kWrittenCell = kPlainCell | Lookup::kUnchecked;

// What an access of `object.name` is, as far as it is an attribute that a cell answers without any code of
// the user's.
struct Place {
  Thread* thread = nullptr;  // null: there is neither a cell nor an exception
  Cell* cell = nullptr;      // null: plain attribute access is right, or there is an exception

  bool has_raised() const { return thread && PyErr_Occurred(); }
};

// Where only the class's invariants are in the way of a write: that the object is written is noted.
[[gnu::noinline]] Place find_checked_place(Thread& thread, const Lookup& found, PyObject* object,
                                           std::uint8_t flags) {
  const bool is_checked =
      !(found.flags & Lookup::kUnchecked) && ((found.flags | Lookup::kUnchecked) & flags) == flags;
  Cell* const cell = is_checked ? found.cell_in(shell_of(object)) : nullptr;
  if (!cell || !thread.in_transaction()) return {};
  return {&thread, note_written(thread, object) ? cell : nullptr};
}

[[gnu::noinline]] Place find_place_slowly(PyObject* object, PyObject* name, std::uint8_t flags) {
  Thread* thread = this_thread();
  if (!thread) {
    PyErr_Clear();
    return {};
  }
  if (!PyUnicode_CheckExact(name) || !PyUnicode_CHECK_INTERNED(name)) return {};
  const Lookup found = thread->lookups.fill(Py_TYPE(object), name);
  return (found.flags & flags) == flags ? Place{thread, found.cell_in(shell_of(object))}
                                        : find_checked_place(*thread, found, object, flags);
}

[[gnu::always_inline]] inline Place find_place(PyObject* object, PyObject* name, std::uint8_t flags) {
  Thread* thread = this_thread_if_any();
  const Lookup* lookup = thread ? thread->lookups.find(Py_TYPE(object), name) : nullptr;
  if (!lookup) [[unlikely]]
    return find_place_slowly(object, name, flags);
  if ((lookup->flags & flags) != flags) [[unlikely]]
    return (lookup->flags & Lookup::kStm) && (flags & Lookup::kUnchecked)
               ? find_checked_place(*thread, *lookup, object, flags)
               : Place{};
  return {thread, lookup->cell_in(shell_of(object))};
}

// How the pair comes to be held, for what follows in the function.
using Acquire = Done (*)(Thread&, PyObject*, Cell&);

Done acquire_for_reading(Thread& thread, PyObject* object, Cell& cell) {
  if (core::holds(thread.descriptor, cell.record)) return Done::Yes;
  core::Outcome outcome;
  if (!core::read_quickly(thread.descriptor, cell.record, object, outcome)) [[unlikely]]
    return hold_cell(thread, object, cell);
  if (outcome == core::Outcome::Registered) Py_INCREF(object);
  return Done::Yes;
}

Done acquire_for_update(Thread& thread, PyObject* object, Cell& cell) {
  return core::holds_logged(thread.descriptor, cell.record) ? Done::Yes
                                                            : read_cell_for_update(thread, object, cell);
}

// The cell, held, where it has a value and all access is to it. What the barrier cannot answer alone the
// attribute lookup on the object does.
template <Acquire kAcquire>
[[gnu::always_inline]] inline Place acquire(Args args, std::uint8_t flags) {
  for (;;) {
    const Place place = find_place(args[0], args[1], flags);
    if (!place.cell || !place.thread->in_transaction()) [[unlikely]]
      return {place.thread, nullptr};
    const Done acquired = kAcquire(*place.thread, args[0], *place.cell);
    if (acquired == Done::Yes) [[likely]]
      return {place.thread, place.cell->peek() ? place.cell : nullptr};
    if (acquired != Done::Again) return {place.thread, nullptr};
  }
}

template <Acquire kAcquire>
PyObject* load_as(const char* barrier, Args args, Py_ssize_t count, std::uint8_t flags) {
  if (!check_count(barrier, count, 2)) [[unlikely]]
    return nullptr;
  const Place place = acquire<kAcquire>(args, flags);
  if (place.cell) [[likely]]
    return Py_NewRef(place.cell->peek());
  return place.has_raised() ? nullptr : PyObject_GetAttr(args[0], args[1]);
}

PyObject* load_update(PyObject*, Args args, Py_ssize_t count) {
  return load_as<acquire_for_update>("load_update", args, count, kPlainCell);
}
PyObject* load_write(PyObject*, Args args, Py_ssize_t count) {
  return load_as<own_cell>("load_write", args, count, kWrittenCell);
}

// What plain attribute access is right on from here on, in this function (payload.h): the payload, or the
// object itself.
template <Acquire kAcquire>
PyObject* open_as(const char* barrier, Args args, Py_ssize_t count, std::uint8_t flags) {
  if (!check_count(barrier, count, 2)) [[unlikely]]
    return nullptr;
  // What is seen at once to be no STMObject, nor one that a barrier may answer for.
  if (Py_TYPE(args[0])->tp_getattro == PyObject_GenericGetAttr) return Py_NewRef(args[0]);
  const Place place = acquire<kAcquire>(args, flags);
  if (!place.cell) [[unlikely]]
    return place.has_raised() ? nullptr : Py_NewRef(args[0]);
  Payload* payload = shell_of(args[0])->payload;
  const bool native = is_native(payload) || make_native(*place.thread, args[0]);
  return Py_NewRef(native ? reinterpret_cast<PyObject*>(payload) : args[0]);
}

PyObject* open_read(PyObject*, Args args, Py_ssize_t count) {
  return open_as<acquire_for_reading>("open_read", args, count, Lookup::kCell | Lookup::kPlainGet);
}
PyObject* open_update(PyObject*, Args args, Py_ssize_t count) {
  return open_as<acquire_for_update>("open_update", args, count, kPlainCell);
}
PyObject* open_write(PyObject*, Args args, Py_ssize_t count) {
  return open_as<own_cell>("open_write", args, count, kWrittenCell);
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
PyObject* add(PyObject* value, PyObject* operand) {
  if (PyLong_CheckExact(value) && PyLong_CheckExact(operand)) [[likely]]
    return PyLong_Type.tp_as_number->nb_add(value, operand);
  return PyNumber_InPlaceAdd(value, operand);
}
PyObject* subtract(PyObject* value, PyObject* operand) {
  if (PyLong_CheckExact(value) && PyLong_CheckExact(operand)) [[likely]]
    return PyLong_Type.tp_as_number->nb_subtract(value, operand);
  return PyNumber_InPlaceSubtract(value, operand);
}

[[gnu::noinline]] PyObject* update_plainly(PyObject* object, PyObject* name, PyObject* operand,
                                           Operator apply_operator) {
  Ref value = Ref::steal(PyObject_GetAttr(object, name));
  Ref result = value ? Ref::steal(apply_operator(value.get(), operand)) : Ref();
  if (!result || PyObject_SetAttr(object, name, result.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}

[[gnu::always_inline]] inline PyObject* update(Args args, Py_ssize_t count, Operator apply) {
  if (!check_count("an in-place operator", count, 3)) [[unlikely]]
    return nullptr;
  PyObject *object = args[0], *name = args[1], *operand = args[2];
  const Place place = find_place(object, name, kWrittenCell);
  if (place.cell && place.thread->in_transaction()) [[likely]] {
    Cell& cell = *place.cell;
    Ownership ownership;
    const Done owned = own_cell_unlogged(*place.thread, object, cell, ownership);
    if (owned == Done::Failed) [[unlikely]]
      return nullptr;
    PyObject* value = cell.peek();
    if (owned == Done::Yes && value && runs_no_code(value, operand)) [[likely]] {
      PyObject* result = apply(value, operand);
      // The log takes over the cell's reference, or has one of its own where the value stays.
      if (ownership.log) log_cell(*place.thread, object, cell, result ? value : Py_NewRef(value), ownership);
      if (!result) [[unlikely]]
        return nullptr;
      cell.value.store(result, core::kRelease);
      if (!ownership.log) Py_DECREF(value);
      Py_RETURN_NONE;
    }
    if (owned == Done::Yes && ownership.log)
      log_cell(*place.thread, object, cell, Py_XNewRef(value), ownership);
  }
  return place.has_raised() ? nullptr : update_plainly(object, name, operand, apply);
}

// The two most common ones are compiled for themselves, all others are one function.
PyObject* iadd(PyObject*, Args args, Py_ssize_t count) { return update(args, count, add); }
PyObject* isub(PyObject*, Args args, Py_ssize_t count) { return update(args, count, subtract); }
[[gnu::noinline]] PyObject* update_by(Args args, Py_ssize_t count, Operator apply) {
  return update(args, count, apply);
}
template <Operator kOperator>
PyObject* in_place(PyObject*, Args args, Py_ssize_t count) {
  return update_by(args, count, kOperator);
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
    {"load_update", fast(load_update), METH_FASTCALL,
     "load_update(object, name): object.name, which may be written to later"},
    {"load_write", fast(load_write), METH_FASTCALL,
     "load_write(object, name): object.name, which will be written to"},
    {"open_read", fast(open_read), METH_FASTCALL, "open_read(object, name): what .name is loaded from"},
    {"open_update", fast(open_update), METH_FASTCALL,
     "open_update(object, name): what .name is loaded from, and may be written to later"},
    {"open_write", fast(open_write), METH_FASTCALL,
     "open_write(object, name): what .name is loaded from and stored on"},
    {"iadd", fast(iadd), METH_FASTCALL, "iadd(object, name, value): object.name += value"},
    {"isub", fast(isub), METH_FASTCALL, "isub(object, name, value): object.name -= value"},
    {"imul", fast(in_place<PyNumber_InPlaceMultiply>), METH_FASTCALL,
     "imul(object, name, value): object.name *= value"},
    {"imatmul", fast(in_place<PyNumber_InPlaceMatrixMultiply>), METH_FASTCALL,
     "imatmul(object, name, value): object.name @= value"},
    {"itruediv", fast(in_place<PyNumber_InPlaceTrueDivide>), METH_FASTCALL,
     "itruediv(object, name, value): object.name /= value"},
    {"ifloordiv", fast(in_place<PyNumber_InPlaceFloorDivide>), METH_FASTCALL,
     "ifloordiv(object, name, value): object.name //= value"},
    {"imod", fast(in_place<PyNumber_InPlaceRemainder>), METH_FASTCALL,
     "imod(object, name, value): object.name %= value"},
    {"ipow", fast(in_place<in_place_power>), METH_FASTCALL,
     "ipow(object, name, value): object.name **= value"},
    {"ilshift", fast(in_place<PyNumber_InPlaceLshift>), METH_FASTCALL,
     "ilshift(object, name, value): object.name <<= value"},
    {"irshift", fast(in_place<PyNumber_InPlaceRshift>), METH_FASTCALL,
     "irshift(object, name, value): object.name >>= value"},
    {"iand", fast(in_place<PyNumber_InPlaceAnd>), METH_FASTCALL,
     "iand(object, name, value): object.name &= value"},
    {"ixor", fast(in_place<PyNumber_InPlaceXor>), METH_FASTCALL,
     "ixor(object, name, value): object.name ^= value"},
    {"ior", fast(in_place<PyNumber_InPlaceOr>), METH_FASTCALL,
     "ior(object, name, value): object.name |= value"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
