// Where an attribute of a class's objects is, remembered by (class, name) and valid while the class is
// unchanged.
#pragma once

#include <array>

#include "runtime/python/layout.h"

namespace stmpy {

struct Lookup {
  PyTypeObject* type =
      nullptr;  // borrowed: a version is unique over all types, so an equal one means the same type
  PyObject* name = nullptr;        // owned, so that its address is not another name's
  const Layout* layout = nullptr;  // of the class, if it is an STMObject's and made already
  std::uint32_t version = 0;
  std::uint16_t offset = 0;  // of the cell in payloads of `layout`
  std::uint8_t flags = 0;

  // Attribute access by a compiled barrier means this cell: no __getattribute__/__setattr__/__delattr__ of
  // the user's.
  static constexpr std::uint8_t kPlainGet = 1, kPlainSet = 2;
  // The object is an STMObject and the name is an instance attribute with a cell in the layout, not a data
  // descriptor's.
  static constexpr std::uint8_t kCell = 4;
  static constexpr std::uint8_t kStm = 8;  // the object is an STMObject
  // ... whose class has no invariants, so that nobody need know that it is written to.
  static constexpr std::uint8_t kUnchecked = 16;

  // With kCell only.
  Cell* cell_in(Shell* shell) const {
    Payload* payload = shell->payload;
    return payload->layout == layout ? reinterpret_cast<Cell*>(reinterpret_cast<char*>(payload) + offset)
                                     : nullptr;
  }
};

static_assert(sizeof(Lookup) == 32);

class LookupCache {
 public:
  // A hit only says what was looked up; the flags say whether it was a cell.
  [[gnu::always_inline]] const Lookup* find(PyTypeObject* type, PyObject* name) const {
    const Lookup& lookup = entries_[place(type, name)];
    return lookup.type == type && lookup.name == name && lookup.version == type_version(type) ? &lookup
                                                                                              : nullptr;
  }
  // Looks it up and remembers it where the type allows. Runs no code of the user's. `name` is interned.
  Lookup fill(PyTypeObject* type, PyObject* name);

 private:
  Lookup remember(const Lookup& found, PyObject* name);

  static constexpr std::size_t kEntries = 512;
  static std::size_t place(PyTypeObject* type, PyObject* name) {
    // Both are at least 16-byte aligned; names that are made together are near each other.
    return ((reinterpret_cast<std::uintptr_t>(type) >> 7) ^ (reinterpret_cast<std::uintptr_t>(name) >> 4)) &
           (kEntries - 1);
  }
  std::array<Lookup, kEntries> entries_{};
};

}  // namespace stmpy
