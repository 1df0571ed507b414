#include "runtime/python/instance.h"

#include "runtime/python/guarded.h"
#include "runtime/python/invariants.h"
#include "runtime/python/order.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {

Ref interned_name(PyObject* name) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
    return Ref();
  }
  PyObject* exact =
      PyUnicode_FromObject(name);  // also of a subclass, whose __eq__ and __hash__ are not asked
  if (exact) PyUnicode_InternInPlace(&exact);
  return Ref::steal(exact);
}

Done read_instance(Thread& thread, PyObject* object, PyObject* name, PyObject*& value) {
  value = nullptr;
  if (Cell* cell = find_cell(shell_of(object), name)) return read_cell_fast(thread, object, *cell, value);
  const Done done = read_structure(thread, object);
  if (done != Done::Yes) return done;
  // The attribute may have come before the structure was held.
  Cell* cell = find_cell(shell_of(object), name);
  return cell ? read_cell_fast(thread, object, *cell, value) : Done::Yes;
}

namespace {

// Whether a cell of the object is one of its slots', which the instance dict does not show.
bool is_slots(Shell* shell, const Cell* cell) {
  const Payload* payload = shell->payload;
  const std::size_t index = static_cast<std::size_t>(cell - payload->cells);
  return index < payload->layout->names.size() && payload->layout->is_slot[index];
}

int nothing_to_delete(PyObject* object, PyObject* name, const Cell* cell) {
  if (cell && is_slots(shell_of(object), cell)) {
    PyErr_SetObject(PyExc_AttributeError, name);
  } else {
    raise_no_attribute(object, name);
  }
  return -1;
}

}  // namespace

int write_instance_cell(Thread& thread, PyObject* object, PyObject* name, Cell& cell, PyObject* value) {
  bool existed = true;
  if (!in_one_transaction(thread, [&] { return write_cell(thread, object, cell, value, existed); }))
    return -1;
  return existed || value ? 0 : nothing_to_delete(object, name, &cell);
}

namespace {

int write_any_cell(Thread& thread, PyObject* object, PyObject* name, Cell& cell, PyObject* value) {
  bool existed = true;
  const auto write = [&] { return write_cell(thread, object, cell, value, existed); };
  if (!in_writing_transaction(thread, object, write)) return -1;
  return existed || value ? 0 : nothing_to_delete(object, name, &cell);
}

}  // namespace

int write_instance(Thread& thread, PyObject* object, PyObject* name, PyObject* value) {
  Shell* shell = shell_of(object);
  Cell* cell = find_cell(shell, name);
  if (!cell && !shell->payload->layout->has_dict) {
    raise_no_place(object, name, Py_TYPE(object)->tp_setattro == stm_object_type->tp_setattro);
    return -1;
  }
  if (!cell && !value) {  // nothing to delete, which is a read of the absent attribute
    if (!in_one_transaction(thread, [&] { return read_structure(thread, object); })) return -1;
    if (!(cell = find_cell(shell, name))) return nothing_to_delete(object, name, nullptr);
  }
  if (!cell && !(cell = make_loose_cell(shell, name))) return -1;
  return write_any_cell(thread, object, name, *cell, value);
}

namespace {

// For what is written to the instance dict. Null with an exception.
Cell* find_or_make_cell(PyObject* object, PyObject* name) {
  Cell* cell = find_cell(shell_of(object), name);
  if (!cell) return make_loose_cell(shell_of(object), name);
  if (!is_slots(shell_of(object), cell)) return cell;
  PyErr_Format(PyExc_TypeError,
               "'%U' is one of the __slots__ of '%.200s' objects and cannot be in their instance dict", name,
               Py_TYPE(object)->tp_name);
  return nullptr;
}

}  // namespace

int replace_instance_attributes(PyObject* object, PyObject* dict) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  Ref items = dict ? Ref::steal(PyDict_Copy(dict)) : Ref();
  if (dict && !items) return -1;
  std::vector<Cell*> cells;  // in the order of the dict
  PyObject *key, *value;
  for (Py_ssize_t position = 0; items && PyDict_Next(items.get(), &position, &key, &value);) {
    const Ref name = interned_name(key);
    if (!name) return -1;
    Cell* cell = find_or_make_cell(object, name.get());
    if (!cell) return -1;
    cells.push_back(cell);
  }
  const bool done = in_writing_transaction(*thread, object, [&] {
    const auto write = [&](Cell& cell, PyObject* to) {
      bool existed;
      return write_cell(*thread, object, cell, to, existed);
    };
    if (const Done owned = own_structure(*thread, object); owned != Done::Yes) return owned;
    std::vector<NamedCell> present;
    if (!all_cells(shell_of(object), present)) return Done::Failed;
    for (const NamedCell& named : present) {
      if (named.is_slot || !named.cell->peek()) continue;
      if (const Done deleted = write(*named.cell, nullptr); deleted != Done::Yes) return deleted;
    }
    Py_ssize_t position = 0;
    for (std::size_t index = 0; items && PyDict_Next(items.get(), &position, &key, &value); ++index) {
      if (const Done written = write(*cells[index], value); written != Done::Yes) return written;
    }
    return Done::Yes;
  });
  return done ? 0 : -1;
}

namespace {

bool check_object(PyObject* object) {
  if (is_stm_object(object)) return true;
  PyErr_Format(PyExc_TypeError, "an STMObject is needed, not '%.200s'", Py_TYPE(object)->tp_name);
  return false;
}

PyObject* method_get(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (!check_count("instance_get", count, 3) || !check_object(args[0])) return nullptr;
  Thread* thread = this_thread();
  // A key that is no string is in no instance dict.
  Ref name = thread && PyUnicode_Check(args[1]) ? interned_name(args[1]) : Ref();
  if (!name) return PyErr_Occurred() ? nullptr : Py_NewRef(args[2]);
  const Cell* cell = find_cell(shell_of(args[0]), name.get());
  if (cell && is_slots(shell_of(args[0]), cell)) return Py_NewRef(args[2]);
  PyObject* value = nullptr;
  Done done;
  do done = read_instance(*thread, args[0], name.get(), value);
  while (done == Done::Again);
  if (done == Done::Failed) return nullptr;
  return value ? value : Py_NewRef(args[2]);
}

PyObject* write(PyObject* object, PyObject* key, PyObject* value) {
  Thread* thread = this_thread();
  Ref name = thread && check_object(object) ? interned_name(key) : Ref();
  if (!name || (value && !find_or_make_cell(object, name.get())) ||
      write_instance(*thread, object, name.get(), value) < 0) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* method_set(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return check_count("instance_set", count, 3) ? write(args[0], args[1], args[2]) : nullptr;
}

PyObject* method_delete(PyObject*, PyObject* const* args, Py_ssize_t count) {
  return check_count("instance_delete", count, 2) ? write(args[0], args[1], nullptr) : nullptr;
}

// Those that have a value now, in the order of insertion.
PyObject* method_names(PyObject*, PyObject* object) {
  Thread* thread = this_thread();
  if (!thread || !check_object(object)) return nullptr;
  Ref present = Ref::steal(PyList_New(0));
  if (!present) return nullptr;
  const auto collect = [&] {
    const Done registered = read_structure(*thread, object);
    if (registered != Done::Yes) return registered;
    if (PyList_SetSlice(present.get(), 0, PyList_GET_SIZE(present.get()), nullptr) < 0) return Done::Failed;
    std::vector<NamedCell> cells;
    if (!cells_in_order(*thread, object, cells)) return Done::Failed;
    for (const NamedCell& named : cells) {
      if (named.is_slot) continue;
      // Whoever holds the structure knows which attributes there are; else it is what was committed.
      const Ref value = thread->in_transaction() && !is_unrecorded(*thread)
                            ? Ref::borrow(named.cell->peek())
                            : Ref::steal(peek_unrecorded(*thread, named.cell->record, named.cell->value));
      if (value && PyList_Append(present.get(), named.name.get()) < 0) return Done::Failed;
    }
    return Done::Yes;
  };
  Done done;
  do done = collect();
  while (done == Done::Again);
  return done == Done::Yes ? present.release() : nullptr;
}

}  // namespace

PyMethodDef instance_methods[] = {
    {"instance_get", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_get)), METH_FASTCALL,
     "instance_get(object, name, default): an attribute of the instance itself."},
    {"instance_set", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_set)), METH_FASTCALL,
     "instance_set(object, name, value)"},
    {"instance_delete", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_delete)), METH_FASTCALL,
     "instance_delete(object, name): AttributeError if there is none."},
    {"instance_names", guarded<method_names>, METH_O,
     "instance_names(object): names of its own attributes, in the order of insertion."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace stmpy
