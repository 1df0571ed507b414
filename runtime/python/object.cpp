#include "runtime/python/object.h"

#include <cstddef>
#include <new>

#include "runtime/python/attempts.h"
#include "runtime/python/class_change.h"
#include "runtime/python/instance.h"
#include "runtime/python/invariants.h"

namespace stmpy {

namespace names {
PyObject *getattribute, *setattr, *delattr, *dict, *class_, *stm_block;
}
PyObject *own_getattribute, *own_setattr;

namespace {

// --- life and death

const Layout* layout_for_new_object(Thread& thread, PyTypeObject* type) {
  const Lookup* known = thread.lookups.find(type, names::dict);
  if (known && known->layout) return known->layout;
  const Layout* layout = layout_of(type);
  if (layout) thread.lookups.fill(type, names::dict);
  return layout;
}

// A shell with its payload.
PyObject* new_shell(PyTypeObject* type, const Layout* layout, std::uint64_t record_bits) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  Shell* shell = shell_of(self);
  new (&shell->structure) core::Record(record_bits);
  new (&shell->extra) std::atomic<Extra*>(nullptr);
  shell->payload = new_payload(layout, shell, record_bits);
  if (shell->payload) return self;
  Py_DECREF(self);
  return nullptr;
}

// In a transaction, which has it for itself until it commits (protocol, section 7).
PyObject* new_private_shell(core::Descriptor& self, PyTypeObject* type, const Layout* layout) {
  try {
    core::reserve_made(self);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
  PyObject* object = new_shell(type, layout, core::bits_of_made(self));
  if (!object) return nullptr;
  Shell* shell = shell_of(object);
  core::note_made(self, Py_NewRef(object), shell->structure, &shell->payload->cells[0].record,
                  static_cast<std::uint32_t>(layout->names.size()));
  return object;
}

bool given_arguments(PyObject* args, PyObject* kwargs) {
  return PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0);
}

PyObject* object_new(PyTypeObject*, PyObject*, PyObject*);

// As object.__init__ and object.__new__: whoever gets arguments that nobody has taken refuses them.
int object_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyTypeObject* type = Py_TYPE(self);
  if (!given_arguments(args, kwargs)) {
    const bool is_whole_call =
        type->tp_init == object_init && !shell_of(self)->payload->layout->invariants.empty();
    return is_whole_call ? end_construction(self) : 0;
  }
  if (type->tp_init != object_init) {
    PyErr_SetString(PyExc_TypeError,
                    "object.__init__() takes exactly one argument (the instance to initialize)");
    return -1;
  }
  if (type->tp_new != object_new) return 0;
  PyErr_Format(PyExc_TypeError, "%.200s.__init__() takes exactly one argument (the instance to initialize)",
               type->tp_name);
  return -1;
}

PyObject* object_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (given_arguments(args, kwargs)) {
    if (type->tp_new != object_new) {
      PyErr_SetString(PyExc_TypeError,
                      "object.__new__() takes exactly one argument (the type to instantiate)");
      return nullptr;
    }
    if (type->tp_init == object_init) {
      PyErr_Format(PyExc_TypeError, "%.200s() takes no arguments", type->tp_name);
      return nullptr;
    }
  }
  return new_object(type);
}

}  // namespace

PyObject* new_object(PyTypeObject* type) {
  Thread* thread = this_thread();
  const Layout* layout = thread ? layout_for_new_object(*thread, type) : nullptr;
  if (!layout) return nullptr;
  if (type->tp_flags & Py_TPFLAGS_IS_ABSTRACT) {  // object.__new__ raises its TypeError
    static PyObject* const no_arguments = PyTuple_New(0);
    return PyBaseObject_Type.tp_new(type, no_arguments, nullptr);
  }
  PyObject* self = thread->in_transaction() && core::can_make(thread->descriptor)
                       ? new_private_shell(thread->descriptor, type, layout)
                       : new_shell(type, layout, 0);
  if (!self) return nullptr;
  if (!layout->invariants.empty() && !begin_construction(self)) {
    Py_DECREF(self);
    return nullptr;
  }
  return self;
}

namespace {

// Until `visit` returns something other than 0.
template <class Visit>
int for_each_cell(Shell* shell, Visit visit) {
  if (!shell->payload) return 0;
  const std::size_t count = shell->payload->layout->names.size();
  for (std::size_t index = 0; index < count; ++index) {
    if (const int stop = visit(shell->payload->cells[index])) return stop;
  }
  const Extra* extra = shell->extra.load(std::memory_order_acquire);
  PyObject *name, *loose;
  for (Py_ssize_t position = 0; extra && PyDict_Next(extra->loose, &position, &name, &loose);) {
    if (const int stop = visit(reinterpret_cast<LooseCell*>(loose)->cell)) return stop;
  }
  return 0;
}

int object_traverse(PyObject* self, visitproc visit, void* arg) {
  return for_each_cell(shell_of(self), [&](Cell& cell) {
    Py_VISIT(cell.peek());
    return 0;
  });
}

// Only garbage is cleared, and what a transaction has accessed is none: its access map holds it. A finaliser
// that runs here may still use the object, and finds attributes gone.
int object_clear(PyObject* self) {
  return for_each_cell(shell_of(self), [](Cell& cell) {
    Py_XDECREF(static_cast<PyObject*>(cell.value.exchange(nullptr)));
    return 0;
  });
}

void object_dealloc(PyObject* self) {
  Shell* shell = shell_of(self);
  PyObject_GC_UnTrack(self);
  Py_TRASHCAN_BEGIN(self, object_dealloc)  // a long chain of objects dies without a deep stack
      if (shell->weakrefs) PyObject_ClearWeakRefs(self);
  object_clear(self);
  if (Extra* extra = shell->extra.exchange(nullptr)) {
    if (const core::Slot* serials = extra->serials.load(std::memory_order_relaxed)) {
      const std::size_t count = shell->payload->layout->names.size();
      for (std::size_t index = 0; index < count; ++index)
        Py_XDECREF(static_cast<PyObject*>(serials[index].load()));
      delete[] serials;
    }
    Py_XDECREF(extra->loose);
    delete extra;
  }
  if (shell->payload) shell->payload->shell = nullptr;
  Py_CLEAR(shell->payload);
  Py_TYPE(self)->tp_free(self);
  Py_TRASHCAN_END
}

// --- attributes

// A method of a collection: as with the interpreter's own types, no attribute of an instance takes its place.
// So calling one does not read the object's structure, which all who call one would have in common.
bool is_fixed(PyObject* attribute) {
  if (!Py_IS_TYPE(attribute, &PyMethodDescr_Type)) return false;
  PyTypeObject* const of = reinterpret_cast<PyDescrObject*>(attribute)->d_type;
  return of != stm_object_type && !(of->tp_flags & Py_TPFLAGS_HEAPTYPE) && is_stm_type(of);
}

PyObject* get_attribute_slowly(Thread& thread, PyObject* object, PyObject* name) {
  for (;;) {
    PyTypeObject* type = Py_TYPE(object);
    Ref attribute = type_lookup(type, name);
    const bool in_slot = attribute && is_slot(attribute.get(), type, name);
    const descrgetfunc get = attribute ? Py_TYPE(attribute.get())->tp_descr_get : nullptr;
    if (attribute && !in_slot && get &&
        (Py_TYPE(attribute.get())->tp_descr_set || is_fixed(attribute.get()))) {
      return get(attribute.get(), object, reinterpret_cast<PyObject*>(type));
    }
    PyObject* value = nullptr;
    const Done done = read_instance(thread, object, name, value);
    if (done == Done::Again) continue;
    if (done == Done::Failed || value) return value;
    if (in_slot) {
      raise_unset_slot(object, name);
      return nullptr;
    }
    if (get) return get(attribute.get(), object, reinterpret_cast<PyObject*>(type));
    if (attribute) return attribute.release();
    return PyObject_GenericGetAttr(object, name);  // raises CPython's own AttributeError
  }
}

int set_attribute_slowly(Thread& thread, PyObject* object, PyObject* name, PyObject* value) {
  Ref attribute = type_lookup(Py_TYPE(object), name);
  if (attribute && !is_slot(attribute.get(), Py_TYPE(object), name)) {
    const descrsetfunc set = Py_TYPE(attribute.get())->tp_descr_set;
    if (set) return set(attribute.get(), object, value);
    const bool has_place = shell_of(object)->payload->layout->has_dict && !is_fixed(attribute.get());
    if (!has_place && !find_cell(shell_of(object), name)) {
      PyErr_Format(PyExc_AttributeError, "'%.100s' object attribute '%U' is read-only",
                   Py_TYPE(object)->tp_name, name);
      return -1;
    }
  }
  return write_instance(thread, object, name, value);
}

}  // namespace

PyObject* get_attribute(PyObject* object, PyObject* name) {
  Thread* thread = this_thread();
  if (!thread) return nullptr;
  PyTypeObject* type = Py_TYPE(object);
  const Lookup* lookup = thread->lookups.find(type, name);
  if (lookup && (lookup->flags & Lookup::kCell)) {
    if (Cell* cell = lookup->cell_in(shell_of(object))) [[likely]] {
      PyObject* value = nullptr;
      const Done done = read_cell_fast(*thread, object, *cell, value);
      if (done == Done::Failed || value) [[likely]]
        return value;
    }
  } else if (!lookup) {
    const Ref interned = interned_name(name);
    if (!interned) return nullptr;
    thread->lookups.fill(type, interned.get());
    return get_attribute_slowly(*thread, object, interned.get());
  }
  return get_attribute_slowly(*thread, object, name);
}

int set_attribute(PyObject* object, PyObject* name, PyObject* value) {
  Thread* thread = this_thread();
  if (!thread) return -1;
  PyTypeObject* type = Py_TYPE(object);
  const Lookup* lookup = thread->lookups.find(type, name);
  if (!lookup) {
    const Ref interned = interned_name(name);
    if (!interned) return -1;
    thread->lookups.fill(type, interned.get());
    return set_attribute_slowly(*thread, object, interned.get(), value);
  }
  constexpr std::uint8_t kWritable = Lookup::kCell | Lookup::kUnchecked;
  if ((lookup->flags & kWritable) == kWritable && value) [[likely]] {
    if (Cell* cell = lookup->cell_in(shell_of(object))) [[likely]] {
      if (core::holds_logged(thread->descriptor, cell->record)) {
        if (PyObject* replaced = cell->peek()) {
          cell->value.store(Py_NewRef(value), core::kRelease);
          Py_DECREF(replaced);
          return 0;
        }
      } else if (!thread->in_transaction() && write_if_free(*thread, *cell, value)) {
        return 0;
      }
      return write_instance_cell(*thread, object, name, *cell, value);
    }
  }
  return set_attribute_slowly(*thread, object, name, value);
}

namespace {

// --- what every object has

PyObject* get_dict(PyObject* self, void*) {
  if (!shell_of(self)->payload->layout->has_dict) {
    raise_no_attribute(self, names::dict);
    return nullptr;
  }
  Ref module = Ref::steal(PyImport_ImportModule("stmpy._instance_dict"));
  return module ? PyObject_CallMethod(module.get(), "InstanceDict", "O", self) : nullptr;
}

int set_dict(PyObject* self, PyObject* value, void*) {
  if (!shell_of(self)->payload->layout->has_dict) {
    raise_no_attribute(self, names::dict);
    return -1;
  }
  if (value && !PyDict_Check(value)) {
    PyErr_Format(PyExc_TypeError, "__dict__ must be set to a dictionary, not a '%.200s'",
                 Py_TYPE(value)->tp_name);
    return -1;
  }
  return replace_instance_attributes(self, value);
}

PyObject* get_weakref(PyObject* self, void*) {
  if (!shell_of(self)->weakrefs) Py_RETURN_NONE;
  return PyWeakref_NewRef(self, nullptr);
}

PyObject* get_state(PyObject* self, PyObject*) {
  Ref module = Ref::steal(PyImport_ImportModule("stmpy._instance_dict"));
  return module ? PyObject_CallMethod(module.get(), "state_of", "O", self) : nullptr;
}

// Protocols 0 and 1 cannot make an object whose base is written in C; 2 can, and every reader knows it.
PyObject* reduce_ex(PyObject* self, PyObject* protocol) {
  long number = PyLong_AsLong(protocol);
  if (number == -1 && PyErr_Occurred()) return nullptr;
  return PyObject_CallMethod(reinterpret_cast<PyObject*>(&PyBaseObject_Type), "__reduce_ex__", "Ol", self,
                             number < 2 ? 2L : number);
}

PyObject* size_of(PyObject* self, PyObject*) {
  Shell* shell = shell_of(self);
  std::size_t size = static_cast<std::size_t>(Py_TYPE(self)->tp_basicsize) +
                     static_cast<std::size_t>(Py_TYPE(shell->payload)->tp_basicsize);
  if (const Extra* extra = shell->extra.load(std::memory_order_acquire)) {
    Ref dict_size = Ref::steal(PyObject_CallMethod(extra->loose, "__sizeof__", nullptr));
    if (!dict_size) return nullptr;
    size += sizeof(Extra) + PyLong_AsSize_t(dict_size.get()) +
            static_cast<std::size_t>(PyDict_GET_SIZE(extra->loose)) * sizeof(LooseCell);
    if (extra->serials.load(std::memory_order_acquire))
      size += shell->payload->layout->names.size() * sizeof(core::Slot);
  }
  return PyLong_FromSize_t(size);
}

PyGetSetDef getsets[] = {
    {"__dict__", get_dict, guarded<set_dict>,
     "The instance attributes: reads and writes go through to the object.", nullptr},
    {"__weakref__", get_weakref, nullptr, "list of weak references to the object", nullptr},
    {"__class__", get_class, set_class, "the object's class", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef methods[] = {
    {"__getstate__", get_state, METH_NOARGS, "Helper for pickle."},
    {"__reduce_ex__", reduce_ex, METH_O, "Helper for pickle."},
    {"__sizeof__", size_of, METH_NOARGS, "Size of object in memory, in bytes."},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_object_type() {
  PyTypeObject type = unready_type("stmpy.STMObject");
  type.tp_doc =
      "Base class of transactional objects: every attribute of an instance is transactional.\n\n"
      "In an atomic function, reads and writes of attributes happen all at once or not at all, on any number "
      "of threads. "
      "Outside of one, a read sees the last committed value and a write is a transaction of its own.";
  type.tp_basicsize = sizeof(Shell);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC;
  type.tp_new = object_new;
  type.tp_init = object_init;
  type.tp_dealloc = object_dealloc;
  type.tp_traverse = object_traverse;
  type.tp_clear = object_clear;
  type.tp_getattro = get_attribute;
  type.tp_setattro = set_attribute;
  type.tp_dictoffset = offsetof(Shell, dict);
  type.tp_weaklistoffset = offsetof(Shell, weakrefs);
  type.tp_getset = getsets;
  type.tp_methods = methods;
  return type;
}
PyTypeObject object_type = make_object_type();

bool intern(PyObject*& name, const char* text) {
  return (name = PyUnicode_InternFromString(text)) != nullptr;
}

}  // namespace

PyTypeObject* const stm_object_type = &object_type;

int ready_object_type() {
  using namespace names;
  if (!intern(getattribute, "__getattribute__") || !intern(names::setattr, "__setattr__") ||
      !intern(delattr, "__delattr__") || !intern(dict, "__dict__") || !intern(class_, "__class__") ||
      !intern(stm_block, "_stm_block")) {
    return -1;
  }
  if (PyType_Ready(&object_type) < 0) return -1;
  own_getattribute = type_lookup(&object_type, getattribute).release();
  own_setattr = type_lookup(&object_type, names::setattr).release();
  return 0;
}

}  // namespace stmpy
