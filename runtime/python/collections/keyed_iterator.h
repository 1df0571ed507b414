// Iterators over dicts and sets: what was there at one moment. In the transaction that made one they notice
// that the number of keys has changed since, and show the values of now.
#pragma once

#include "runtime/python/collections/keyed.h"

namespace stmpy {

enum class Shows : std::uint8_t { Keys, Values, Items, Elements };  // of dicts; of sets

// Null with an exception.
PyObject* make_iterator(PyObject* owner, Shows shows, bool reversed);
int ready_iterator_type();

}  // namespace stmpy
