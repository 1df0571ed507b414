#include "runtime/python/layout.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

#include "runtime/core/immortal.h"
#include "runtime/python/barriers.h"
#include "runtime/python/finaliser.h"
#include "runtime/python/guarded.h"
#include "runtime/python/payload.h"

namespace stmpy {
namespace {

constexpr const char* kLayoutAttribute = "__stm_layout__";

// --- loose cells

void loose_cell_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<LooseCell*>(self)->cell.peek());
  Py_XDECREF(
      static_cast<PyObject*>(reinterpret_cast<LooseCell*>(self)->serial.load(std::memory_order_relaxed)));
  PyObject_Free(self);
}

PyTypeObject make_loose_cell_type() {
  PyTypeObject type = unready_type("stmpy._runtime.Cell");
  type.tp_basicsize = sizeof(LooseCell);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_dealloc = loose_cell_dealloc;
  return type;
}
PyTypeObject loose_cell_type = make_loose_cell_type();

// --- payload types

void free_layout(PyObject* capsule) {
  delete static_cast<Layout*>(PyCapsule_GetPointer(capsule, kLayoutAttribute));
}

// --- the layouts of classes: a weak side table keyed by the class, so that nothing shows in it or is
// inherited

struct KnownLayout {
  Ref weak_class;  // its callback takes the entry away
  Ref payload_type;
  const Layout* layout;
};

struct LayoutTable {
  std::mutex mutex;
  std::unordered_map<PyTypeObject*, KnownLayout> entries;
};

LayoutTable& layouts() {
  static core::Immortal<LayoutTable> table;
  return table.value;
}

PyObject* forget_class(PyObject* key, PyObject*) {
  auto* type = static_cast<PyTypeObject*>(PyLong_AsVoidPtr(key));
  KnownLayout forgotten;
  {
    const std::lock_guard guard(layouts().mutex);
    auto& entries = layouts().entries;
    const auto found = entries.find(type);
    if (found != entries.end()) {
      forgotten = std::move(found->second);
      entries.erase(found);
    }
  }
  Py_RETURN_NONE;
}
PyMethodDef forget_class_method = {"forget_class", forget_class, METH_O, nullptr};

// Names, slots and whether there is a dict: which attributes a class is known to have is a matter of Python
// (`_attributes.py`).
bool describe(Layout& layout, PyTypeObject* type) {
  Ref module = Ref::steal(PyImport_ImportModule("stmpy._attributes"));
  if (!module) return false;
  Ref described = Ref::steal(PyObject_CallMethod(module.get(), "describe", "O", type));
  if (!described) return false;
  PyObject *names, *slots, *invariants;
  int has_dict;
  if (!PyArg_ParseTuple(described.get(), "O!O!pO!", &PyTuple_Type, &names, &PyTuple_Type, &slots, &has_dict,
                        &PyTuple_Type, &invariants)) {
    return false;
  }
  layout.has_dict = has_dict != 0;
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(names); ++index) {
    PyObject* name = Py_NewRef(PyTuple_GET_ITEM(names, index));
    PyUnicode_InternInPlace(&name);
    layout.names.push_back(Ref::steal(name));
  }
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(invariants); ++index) {
    PyObject* name = Py_NewRef(PyTuple_GET_ITEM(invariants, index));
    PyUnicode_InternInPlace(&name);
    layout.invariants.push_back(Ref::steal(name));
  }
  layout.is_slot.resize(layout.names.size());
  for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(slots); ++index) {
    PyObject *holder, *attribute, *owner,
        *name;  // where a descriptor of the interpreter's stands, and whose slot it is for
    if (!PyArg_ParseTuple(PyTuple_GET_ITEM(slots, index), "OUOU", &holder, &attribute, &owner, &name))
      return false;
    Ref descriptor = Ref::steal(PyObject_CallFunctionObjArgs(
        reinterpret_cast<PyObject*>(&slot_descriptor_type), owner, name, nullptr));
    if (!descriptor || PyType_Type.tp_setattro(holder, attribute, descriptor.get()) < 0) return false;
  }
  for (std::size_t index = 0; index < layout.names.size(); ++index) {
    const Ref attribute = type_lookup(type, layout.names[index].get());
    layout.is_slot[index] = attribute && is_slot(attribute.get(), type, layout.names[index].get());
  }
  return true;
}

const Layout* make_layout(PyTypeObject* type) {
  auto layout = std::make_unique<Layout>();
  if (!describe(*layout, type)) return nullptr;
  Ref payload_type = make_payload_type(*layout, type);
  if (!payload_type) return nullptr;
  layout->payload_type = reinterpret_cast<PyTypeObject*>(payload_type.get());
  Ref capsule = Ref::steal(PyCapsule_New(layout.get(), kLayoutAttribute, free_layout));
  if (!capsule) return nullptr;
  const Layout* made = layout.release();
  if (PyObject_SetAttrString(payload_type.get(), kLayoutAttribute, capsule.get()) < 0) return nullptr;
  Ref key = Ref::steal(PyLong_FromVoidPtr(type));
  Ref callback = key ? Ref::steal(PyCFunction_New(&forget_class_method, key.get())) : Ref();
  Ref weak =
      callback ? Ref::steal(PyWeakref_NewRef(reinterpret_cast<PyObject*>(type), callback.get())) : Ref();
  if (!weak) return nullptr;
  defer_finaliser(type);
  // A class that was garbage and is revived gets a second layout: what was remembered of the first is stale.
  PyType_Modified(type);
  const std::lock_guard guard(layouts().mutex);
  // Another thread may have been faster: then its layout is the class's, and ours goes.
  return layouts()
      .entries.try_emplace(type, std::move(weak), std::move(payload_type), made)
      .first->second.layout;
}

}  // namespace

int Layout::index_of(PyObject* interned_name) const {
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (names[index].get() == interned_name) return static_cast<int>(index);
  }
  return -1;
}

const Layout* layout_if_made(PyTypeObject* type) {
  const std::lock_guard guard(layouts().mutex);
  const auto found = layouts().entries.find(type);
  return found == layouts().entries.end() ? nullptr : found->second.layout;
}

const Layout* layout_of(PyTypeObject* type) {
  if (const Layout* known = layout_if_made(type)) return known;
  try {
    return make_layout(type);
  } catch (const std::bad_alloc&) {
    raise_no_memory();
    return nullptr;
  }
}

std::vector<PyTypeObject*> classes_with_layout() {
  std::vector<PyTypeObject*> classes;
  const std::lock_guard guard(layouts().mutex);
  for (const auto& [type, known] : layouts().entries) classes.push_back(type);
  return classes;
}

Payload* new_payload(const Layout* layout, Shell* shell, std::uint64_t record_bits) {
  PyTypeObject* type = layout->payload_type;
  auto* payload = static_cast<Payload*>(PyObject_Malloc(static_cast<std::size_t>(type->tp_basicsize)));
  if (!payload) {
    PyErr_NoMemory();
    return nullptr;
  }
  PyObject_Init(reinterpret_cast<PyObject*>(payload), type);
  payload->layout = layout;
  payload->shell = shell;
  for (std::size_t index = 0; index < layout->names.size(); ++index)
    new (&payload->cells[index]) Cell{nullptr, core::Record(record_bits)};
  return payload;
}

Extra* extra_of(Shell* shell) {
  Extra* extra = shell->extra.load(std::memory_order_acquire);
  if (extra) return extra;
  auto* made = new (std::nothrow) Extra;
  if (!made) {
    PyErr_NoMemory();
    return nullptr;
  }
  made->loose = PyDict_New();
  if (!made->loose) {
    delete made;
    return nullptr;
  }
  PyObject_GC_UnTrack(made->loose);  // and stays so: strings and cells are nothing to collect
  if (shell->extra.compare_exchange_strong(extra, made, std::memory_order_acq_rel)) return made;
  Py_DECREF(made->loose);
  delete made;
  return extra;
}

Cell* find_cell(Shell* shell, PyObject* interned_name) {
  Payload* payload = shell->payload;
  const int index = payload->layout->index_of(interned_name);
  if (index >= 0) return &payload->cells[index];
  Extra* extra = shell->extra.load(std::memory_order_acquire);
  if (!extra) return nullptr;
  // Keys are exact strings: nothing of the user's runs. Cells are never removed, so a borrowed one stays
  // valid.
  PyObject* found = PyDict_GetItemWithError(extra->loose, interned_name);
  return found ? &reinterpret_cast<LooseCell*>(found)->cell : nullptr;
}

Cell* make_loose_cell(Shell* shell, PyObject* interned_name) {
  Extra* extra = extra_of(shell);
  if (!extra) return nullptr;
  auto* made = PyObject_New(LooseCell, &loose_cell_type);
  if (!made) return nullptr;
  new (&made->cell) Cell;
  new (&made->serial) core::Slot(nullptr);
  Ref owned = Ref::steal(reinterpret_cast<PyObject*>(made));
  PyObject* kept = PyDict_SetDefault(extra->loose, interned_name, owned.get());
  return kept ? &reinterpret_cast<LooseCell*>(kept)->cell : nullptr;
}

bool all_cells(Shell* shell, std::vector<NamedCell>& cells) {
  const Layout& layout = *shell->payload->layout;
  Extra* extra = shell->extra.load(std::memory_order_acquire);
  core::Slot* serials = extra ? extra->serials.load(std::memory_order_acquire) : nullptr;
  for (std::size_t index = 0; index < layout.names.size(); ++index) {
    cells.push_back({Ref::borrow(layout.names[index].get()), &shell->payload->cells[index],
                     serials ? &serials[index] : nullptr, layout.is_slot[index]});
  }
  if (!extra) return true;
  Ref items = Ref::steal(PyDict_Items(extra->loose));  // a copy: others may add cells meanwhile
  if (!items) return false;
  for (Py_ssize_t index = 0; index < PyList_GET_SIZE(items.get()); ++index) {
    PyObject* item = PyList_GET_ITEM(items.get(), index);
    auto* loose = reinterpret_cast<LooseCell*>(PyTuple_GET_ITEM(item, 1));
    cells.push_back({Ref::borrow(PyTuple_GET_ITEM(item, 0)), &loose->cell, &loose->serial, false});
  }
  return true;
}

int ready_layout_types() {
  return PyType_Ready(&loose_cell_type) < 0 || PyType_Ready(&slot_descriptor_type) < 0 ? -1 : 0;
}

}  // namespace stmpy
