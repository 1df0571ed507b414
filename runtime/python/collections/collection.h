// What the types of collections have in common. An object of one is a struct that begins with a Shell and has
// cells of its own behind it, each registered, read and written as an attribute's cell is, with the object
// itself as the one it belongs to.
//
// Cells and whatever else has a record stay where they are for the life of the object: a registration, a log
// entry or a thread outside may still know one that is not in use any more.
#pragma once

#include "runtime/python/invariants.h"
#include "runtime/python/object.h"

namespace stmpy {

struct Collection {
  PyTypeObject* type;
  // What access_map() and revert_log() call one of the object's own pairs. Null, without an exception, where
  // it is not one of them. `object` may be of a subclass.
  Ref (*name_of)(PyObject* object, const core::Record* record);
  // Whether a slot of the object's own is nothing that a program has put there. Null: none is.
  bool (*is_inner)(PyObject* object, const core::Slot* slot) = nullptr;
};

// With that class of collections.abc. False with an exception.
bool register_with(PyObject* type, const char* abstract_base);
// Derives the type from STMObject, readies it, adds it to the module, and registers it (null: with none). -1
// with an exception.
int add_collection(PyObject* module, const Collection& collection, const char* abstract_base);
Ref name_in_collection(PyObject* object, const core::Record* record);
bool is_inner_of_collection(PyObject* object, const core::Slot* slot);

// For tp_flags of all of them.
inline constexpr unsigned long kCollectionFlags =
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;

// The tp_dealloc of a type. `Clear` takes the values out of the own cells, and any code may run;
// `Free` gives back the memory that they were in. Both also for an object that was never finished.
template <void (*Clear)(PyObject*), void (*Free)(PyObject*)>
void dealloc_collection(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, (dealloc_collection<Clear, Free>)) if (shell_of(self)->weakrefs)
      PyObject_ClearWeakRefs(self);
  Clear(self);
  Free(self);
  stm_object_type->tp_dealloc(self);
  Py_TRASHCAN_END
}

// The end of a tp_init that has succeeded. -1 with an exception.
inline int end_init(PyObject* self) {
  return shell_of(self)->payload->layout->invariants.empty() ? 0 : end_construction(self);
}

// Replaces the value of a cell that is owned and logged (own_cell), and returns the reference that was there.
// Cannot fail, and runs no code: whoever changes several cells owns all of them first.
inline PyObject* exchange_value(Cell& cell, PyObject* value) {
  PyObject* const replaced = cell.peek();
  cell.value.store(Py_XNewRef(value), core::kRelease);
  return replaced;
}

// Runs it in one transaction, and again as that says: what it looks at is of one moment. `several`: it looks
// at more than one object, each of which would be so by itself. False with an exception.
template <class Act>
bool together(Act act, bool several = true) {
  if (!several) return act();
  Thread* const thread = this_thread();
  return thread && in_one_transaction(*thread, [&] { return act() ? Done::Yes : Done::Failed; });
}

// For pickle and copy: what object.__reduce_ex__ gives, made by `maker(type(self), *arguments)` of
// stmpy._collections and filled with the items or the (key, value) pairs of an iterator (null: none).
PyObject* reduce_collection(PyObject* self, const char* maker, Ref arguments, Ref items, Ref pairs = Ref());

}  // namespace stmpy
