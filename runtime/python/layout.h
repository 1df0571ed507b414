// How an STMObject is laid out: the shell that the user holds, the payload that holds its values, and the
// layout of the class.
//
//   shell    identity, type, weak references; the record of the object's structure
//   payload  a plain slotted object: for each attribute of the layout a cell, that is its value and its
//   ownership record extra    made when needed: cells of attributes beyond the layout, and the order of
//   attributes where it is not the layout's
//
// Cells and payloads stay where they are for the life of the shell; a cell without a value is an attribute
// that does not exist. Payload and extra belong to their shell alone and are not known to the garbage
// collector: the shell visits the values.
#pragma once

#include <vector>

#include "runtime/core/descriptor.h"
#include "runtime/python/compat.h"

namespace stmpy {

// The place of one transactional attribute.
struct Cell {
  core::Slot value{nullptr};  // PyObject*, a strong reference
  core::Record record;

  [[gnu::always_inline]] PyObject* peek() const {
    return static_cast<PyObject*>(value.load(std::memory_order_relaxed));
  }
};
static_assert(sizeof(Cell) == core::Made::kDistance * sizeof(core::Record));

// For which of a class's attributes plain access of its payloads has ever been right; see payload.h.
struct NativeAccess {
  PyTypeObject* forwarding =
      nullptr;  // the payload type's twin, made at the first need; lives as long as that
  std::uint32_t disturbed_version = 0;  // of the class, when it last changed
  bool get = false;
  bool set = false;
  std::vector<bool> names;
};

// Which attributes the objects of a class have places for. Immutable but for `native`; lives as long as its
// payload type.
struct Layout {
  PyTypeObject* payload_type = nullptr;  // borrowed: owns this
  std::vector<Ref> names;                // interned; the index is the cell's
  std::vector<PyMemberDef> members;
  std::vector<bool> is_slot;  // of `__slots__`: the instance dict does not show it
  bool has_dict = true;       // names beyond the layout are allowed
  std::vector<Ref>
      invariants;  // names of methods (invariants.h); if there are any, payloads have a flag behind the cells
  mutable NativeAccess native;

  int index_of(PyObject* interned_name) const;
};

struct Shell;

struct Payload {
  PyObject_HEAD const Layout* layout;
  Shell* shell;   // borrowed; null once it is gone
  Cell cells[1];  // as many as the layout has names
};

// A cell beyond the layout, an object of its own so that a dict can hold it. Never removed.
struct LooseCell {
  PyObject_HEAD Cell cell;
  core::Slot serial;  // see order.h
};

struct Extra {
  PyObject* loose = nullptr;                  // a dict, name -> LooseCell
  std::atomic<core::Slot*> serials{nullptr};  // of the layout's cells; null: none has one (order.h)
  std::atomic<std::uint64_t> serials_given{0};
};

struct Shell {
  PyObject_HEAD Payload* payload;
  core::Record structure;  // which attributes there are, in which order, and the class
  std::atomic<Extra*> extra;
  PyObject* dict;  // always null: where C code that knows dict offsets finds that there is none
  PyObject* weakrefs;
};

extern PyTypeObject* const stm_object_type;
inline bool is_stm_type(PyTypeObject* type) { return PyType_IsSubtype(type, stm_object_type); }
inline bool is_stm_object(PyObject* object) { return is_stm_type(Py_TYPE(object)); }
inline Shell* shell_of(PyObject* object) { return reinterpret_cast<Shell*>(object); }

// The layout of a class, made at the first call (which may run code of the user's: annotations). Null with an
// exception.
const Layout* layout_of(PyTypeObject* type);
// The same where it exists already: from the first object on. Else null; runs no code.
const Layout* layout_if_made(PyTypeObject* type);
// An empty payload for the shell, with records of these bits. Null with an exception.
Payload* new_payload(const Layout* layout, Shell* shell, std::uint64_t record_bits);
// Borrowed: for use at once, with the GIL.
std::vector<PyTypeObject*> classes_with_layout();

// The cell of an attribute. Null, without an exception, where there is none yet (find) or with one (make).
Cell* find_cell(Shell* shell, PyObject* interned_name);
Cell* make_loose_cell(Shell* shell, PyObject* interned_name);
// Null with MemoryError.
Extra* extra_of(Shell* shell);

struct NamedCell {
  Ref name;
  Cell* cell;
  core::Slot* serial;  // null: it has no place for one yet
  bool is_slot;
};
// All of them: the layout's, then the loose ones. False with an exception.
bool all_cells(Shell* shell, std::vector<NamedCell>& cells);

// A descriptor that takes the place of those that `__slots__` makes, so that slots are transactional too.
extern PyTypeObject slot_descriptor_type;
// Whether a class's attribute of that name is such a descriptor for the cell of the same name. One that was
// copied to another name or class is a descriptor like others.
bool is_slot(PyObject* attribute, PyTypeObject* type, PyObject* interned_name);

int ready_layout_types();

}  // namespace stmpy
