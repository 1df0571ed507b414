#include "runtime/python/collections/collection.h"

#include <vector>

#include "runtime/core/immortal.h"

namespace stmpy {
namespace {

// Filled while the module is made.
std::vector<Collection>& collections() {
  static core::Immortal<std::vector<Collection>> all;
  return all.value;
}

}  // namespace

bool register_with(PyObject* type, const char* abstract_base) {
  const Ref module = Ref::steal(PyImport_ImportModule("collections.abc"));
  const Ref base = module ? Ref::steal(PyObject_GetAttrString(module.get(), abstract_base)) : Ref();
  return base && Ref::steal(PyObject_CallMethod(base.get(), "register", "O", type));
}

int add_collection(PyObject* module, const Collection& collection, const char* abstract_base) {
  PyTypeObject* type = collection.type;
  type->tp_base = stm_object_type;
  auto* const object = reinterpret_cast<PyObject*>(type);
  if (PyType_Ready(type) < 0 || PyModule_AddType(module, type) < 0) return -1;
  if (abstract_base && !register_with(object, abstract_base)) return -1;
  collections().push_back(collection);
  return 0;
}

Ref name_in_collection(PyObject* object, const core::Record* record) {
  for (const Collection& collection : collections()) {
    if (PyType_IsSubtype(Py_TYPE(object), collection.type)) return collection.name_of(object, record);
  }
  return Ref();
}

bool is_inner_of_collection(PyObject* object, const core::Slot* slot) {
  for (const Collection& collection : collections()) {
    if (PyType_IsSubtype(Py_TYPE(object), collection.type))
      return collection.is_inner && collection.is_inner(object, slot);
  }
  return false;
}

PyObject* reduce_collection(PyObject* self, const char* maker, Ref arguments, Ref items, Ref pairs) {
  if (!arguments) return nullptr;
  const Ref module = Ref::steal(PyImport_ImportModule("stmpy._collections"));
  const Ref make = module ? Ref::steal(PyObject_GetAttrString(module.get(), maker)) : Ref();
  const Ref own = make ? Ref::steal(PyTuple_Pack(1, Py_TYPE(self))) : Ref();
  const Ref all = own ? Ref::steal(PySequence_Concat(own.get(), arguments.get())) : Ref();
  const Ref state = all ? Ref::steal(PyObject_CallMethod(self, "__getstate__", nullptr)) : Ref();
  if (!state) return nullptr;
  return PyTuple_Pack(5, make.get(), all.get(), state.get(), items ? items.get() : Py_None,
                      pairs ? pairs.get() : Py_None);
}

}  // namespace stmpy
