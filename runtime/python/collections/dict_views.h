// keys(), values() and items() of an STMDict: live views, the first and the last of them sets.
#pragma once

#include "runtime/python/collections/keyed_iterator.h"

namespace stmpy {

// Null with an exception.
PyObject* make_view(PyObject* dict, Shows shows);
// Of keys or items.
bool is_set_view(PyObject* object);
// Readies the types and registers them with collections.abc. -1 with an exception.
int add_dict_views();

}  // namespace stmpy
