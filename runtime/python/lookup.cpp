#include "runtime/python/lookup.h"

#include <cstddef>

#include "runtime/python/object.h"

namespace stmpy {

Lookup LookupCache::fill(PyTypeObject* type, PyObject* name) {
  Lookup found;
  // The version first: if the class changes while it is being looked up, the entry is stale from the start.
  const Ref attribute = type_lookup(type, name);
  found.version = type_version(type);
  found.type = type;
  if (!is_stm_type(type)) return remember(found, name);
  found.flags |= Lookup::kStm;
  if (type_lookup(type, names::getattribute).get() == own_getattribute) found.flags |= Lookup::kPlainGet;
  if (type_lookup(type, names::setattr).get() == own_setattr) found.flags |= Lookup::kPlainSet;
  const bool from_instance =
      !attribute || is_slot(attribute.get(), type, name) || !Py_TYPE(attribute.get())->tp_descr_set;
  found.layout = layout_if_made(type);
  if (found.layout && found.layout->invariants.empty()) found.flags |= Lookup::kUnchecked;
  const int index = from_instance && found.layout ? found.layout->index_of(name) : -1;
  if (index >= 0) {
    found.flags |= Lookup::kCell;
    found.offset =
        static_cast<std::uint16_t>(offsetof(Payload, cells) + static_cast<std::size_t>(index) * sizeof(Cell));
  }
  return remember(found, name);
}

Lookup LookupCache::remember(const Lookup& found, PyObject* name) {
  if (found.version != 0 && found.version == type_version(found.type)) {
    Lookup& entry = entries_[place(found.type, name)];
    // Strings have no finalisers: nothing of the user's runs here.
    PyObject* old_name = entry.name;
    entry = found;
    entry.name = Py_NewRef(name);
    Py_XDECREF(old_name);
  }
  return found;
}

}  // namespace stmpy
