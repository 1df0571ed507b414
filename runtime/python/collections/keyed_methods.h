// Methods that dicts and sets share.
#pragma once

#include "runtime/python/collections/keyed.h"

namespace stmpy {

PyObject* clear_method(PyObject* self, PyObject*);
PyObject* memory_of(PyObject* self, PyObject*);  // __sizeof__

// KeyError of the key as it is, also where it is a tuple. Always null.
PyObject* raise_key_error(PyObject* key);

inline PyCFunction fast(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace stmpy
