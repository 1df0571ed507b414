#include "runtime/python/payload.h"

#include <cstddef>
#include <mutex>

#include "runtime/core/immortal.h"
#include "runtime/python/class_watch.h"

namespace stmpy {
namespace {

constexpr const char* kForwardingAttribute = "__stm_forwarding__";

// Guards the types of payloads and the slots of payload types. Nothing is called under it.
std::mutex& types_mutex() {
  static core::Immortal<std::mutex> mutex;
  return mutex.value;
}

void payload_dealloc(PyObject* self) {
  auto* payload = reinterpret_cast<Payload*>(self);
  PyTypeObject* type = Py_TYPE(self);
  for (std::size_t index = 0; index < payload->layout->names.size(); ++index)
    Py_XDECREF(payload->cells[index].peek());
  PyObject_Free(self);
  Py_DECREF(type);  // may free the layout, so it goes last
}

// --- forwarding. A payload that outlives its object (in a frame that a traceback keeps) has no values
// either.

PyObject* forwarded_get(PyObject* self, PyObject* name) {
  const Ref object = Ref::borrow(reinterpret_cast<PyObject*>(reinterpret_cast<Payload*>(self)->shell));
  return object ? PyObject_GetAttr(object.get(), name) : PyObject_GenericGetAttr(self, name);
}

int forwarded_set(PyObject* self, PyObject* name, PyObject* value) {
  const Ref object = Ref::borrow(reinterpret_cast<PyObject*>(reinterpret_cast<Payload*>(self)->shell));
  return object ? PyObject_SetAttr(object.get(), name, value) : PyObject_GenericSetAttr(self, name, value);
}

// Who shows a frame's temporaries (pytest, a debugger) shows the object.
PyObject* forwarded_repr(PyObject* self) {
  const Ref object = Ref::borrow(reinterpret_cast<PyObject*>(reinterpret_cast<Payload*>(self)->shell));
  return object ? PyObject_Repr(object.get()) : PyBaseObject_Type.tp_repr(self);
}

void forward(PyTypeObject* type) {
  type->tp_getattro = forwarded_get;
  type->tp_setattro = forwarded_set;
}

// Messages of the interpreter name the type of what they were given.
bool name_like(PyObject* made, PyTypeObject* type) {
  Ref name = Ref::steal(PyUnicode_FromString(type->tp_name));
  Ref module = Ref::steal(PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__module__"));
  return name && module && PyObject_SetAttrString(made, "__name__", name.get()) == 0 &&
         PyObject_SetAttrString(made, "__module__", module.get()) == 0;
}

// The twin derives from the payload type: whoever is in the middle of a plain access finds the attribute
// still.
bool make_forwarding_type(const Layout& layout) {
  PyType_Slot slots[] = {{0, nullptr}};
  PyType_Spec spec = {"stmpy.Payload", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  auto* payload_type = reinterpret_cast<PyObject*>(layout.payload_type);
  Ref bases = Ref::steal(PyTuple_Pack(1, payload_type));
  Ref made = bases ? Ref::steal(PyType_FromSpecWithBases(&spec, bases.get())) : Ref();
  if (!made || !name_like(made.get(), layout.payload_type)) return false;
  auto* type = reinterpret_cast<PyTypeObject*>(made.get());
  type->tp_dealloc = payload_dealloc;
  forward(type);
  // The collector sees the cycle of the two.
  if (PyObject_SetAttrString(payload_type, kForwardingAttribute, made.get()) < 0) return false;
  const std::lock_guard guard(types_mutex());
  layout.native.forwarding = type;
  return true;
}

// Under the mutex. The reference to the old type is the caller's.
PyTypeObject* set_type(Payload* payload, PyTypeObject* type) {
  PyTypeObject* old = Py_TYPE(payload);
  Py_INCREF(type);
  Py_SET_TYPE(reinterpret_cast<PyObject*>(payload), type);
  return old;
}

// What of a class's attributes is an instance's own matter, in one version of the class.
struct Plainness {
  std::uint32_t version = 0;  // 0: it changed meanwhile, or has none
  bool get = true;
  bool set = true;
  std::vector<bool> names;
};

Plainness plainness_of(Thread& thread, PyTypeObject* type, const Layout& layout) {
  Plainness plain;
  for (const Ref& name : layout.names) {
    const Lookup found = thread.lookups.fill(type, name.get());
    if (plain.names.empty()) plain.version = found.version;
    if (found.version != plain.version) plain.version = 0;
    plain.get = plain.get && (found.flags & Lookup::kPlainGet);
    plain.set = plain.set && (found.flags & Lookup::kPlainSet);
    plain.names.push_back((found.flags & Lookup::kCell) != 0);
  }
  return plain;
}

// All that the payloads have ever been right for they must be right for again: somebody may hold one.
bool make_type_native(Thread& thread, PyTypeObject* type, const Layout& layout) {
  if (!watch_class(type)) {
    PyErr_Clear();
    return false;
  }
  const Plainness plain = plainness_of(thread, type, layout);
  if (plain.version == 0) return false;
  if (!layout.native.forwarding && !make_forwarding_type(layout)) {
    PyErr_Clear();
    return false;
  }
  const std::lock_guard guard(types_mutex());
  NativeAccess& native = layout.native;
  // A watcher is told before the interpreter takes the version away.
  if (native.disturbed_version == plain.version || type_version(type) != plain.version) return false;
  if ((native.get && !plain.get) || (native.set && !plain.set)) return false;
  native.names.resize(plain.names.size());
  for (std::size_t index = 0; index < plain.names.size(); ++index) {
    if (native.names[index] && !plain.names[index]) return false;
  }
  native.get = plain.get;
  native.set = plain.set;
  native.names = plain.names;
  layout.payload_type->tp_setattro = PyObject_GenericSetAttr;
  layout.payload_type->tp_getattro = PyObject_GenericGetAttr;
  return true;
}

}  // namespace

// The payload carries the name of the user's class.
Ref make_payload_type(Layout& layout, PyTypeObject* type) {
  for (std::size_t index = 0; index < layout.names.size(); ++index) {
    const char* attribute = PyUnicode_AsUTF8(layout.names[index].get());
    if (!attribute) return Ref();
    const auto offset =
        static_cast<Py_ssize_t>(offsetof(Payload, cells) + index * sizeof(Cell) + offsetof(Cell, value));
    layout.members.push_back({attribute, T_OBJECT_EX, offset, 0, nullptr});
  }
  layout.members.push_back({nullptr, 0, 0, 0, nullptr});
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(payload_dealloc)},
      {Py_tp_repr, reinterpret_cast<void*>(forwarded_repr)},
      {Py_tp_members, layout.members.data()},
      {0, nullptr},
  };
  const std::size_t cells_end = offsetof(Payload, cells) + layout.names.size() * sizeof(Cell);
  const auto size = static_cast<int>(cells_end + (layout.invariants.empty() ? 0 : sizeof(void*)));
  PyType_Spec spec = {"stmpy.Payload", size, 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_BASETYPE, slots};
  Ref made = Ref::steal(PyType_FromSpec(&spec));
  if (!made || !name_like(made.get(), type)) return Ref();
  forward(reinterpret_cast<PyTypeObject*>(made.get()));
  return made;
}

bool make_native(Thread& thread, PyObject* object) {
  Payload* payload = shell_of(object)->payload;
  const Layout& layout = *payload->layout;
  PyTypeObject* type = Py_TYPE(object);
  if (layout_if_made(type) != &layout) return false;
  if (Py_TYPE(payload) != layout.payload_type) {
    PyTypeObject* forwarding;
    {
      const std::lock_guard guard(types_mutex());
      if (Py_TYPE(payload) == layout.payload_type || may_be_held(reinterpret_cast<PyObject*>(payload)))
        return false;
      forwarding = set_type(payload, layout.payload_type);
    }
    Py_DECREF(forwarding);
  }
  try {
    return is_native(payload) || make_type_native(thread, type, layout);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void forward_if_held(Shell* shell) {
  Payload* payload = shell->payload;
  const Layout& layout = *payload->layout;
  PyTypeObject* replaced;
  {
    const std::lock_guard guard(types_mutex());
    // Without a twin nobody has ever opened an object of the class.
    if (!layout.native.forwarding || Py_TYPE(payload) == layout.native.forwarding ||
        !may_be_held(reinterpret_cast<PyObject*>(payload)))
      return;
    replaced = set_type(payload, layout.native.forwarding);
  }
  Py_DECREF(replaced);
}

void class_changes(PyTypeObject* type) {
  const Layout* layout = layout_if_made(type);
  if (!layout) return;
  Ref payload_type;
  {
    const std::lock_guard guard(types_mutex());
    layout->native.disturbed_version = type_version(type);
    if (layout->payload_type->tp_getattro != PyObject_GenericGetAttr) return;
    forward(layout->payload_type);
    payload_type = Ref::borrow(reinterpret_cast<PyObject*>(layout->payload_type));
  }
  PyType_Modified(layout->payload_type);  // what is specialised for it no longer is
}

}  // namespace stmpy
