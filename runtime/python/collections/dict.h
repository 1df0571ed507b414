// STMDict: a dict whose keys are transactional one by one.
#pragma once

#include "runtime/python/collections/keyed.h"

namespace stmpy {

extern PyTypeObject* const stm_dict_type;
inline bool is_stm_dict(PyObject* object) { return PyObject_TypeCheck(object, stm_dict_type); }

extern PyMethodDef dict_methods[];

// A key and a value that are to be set. The hash was asked for when they were collected.
struct Pair {
  Ref key;
  Py_hash_t hash;
  Ref value;
};
// What dict(*args, **kwargs) and dict.update take. Runs code of the user's, of any kind. False with an
// exception.
bool collect_pairs(const char* name, PyObject* args, PyObject* kwargs, std::vector<Pair>& pairs);
bool collect_pairs_of(PyObject* other, std::vector<Pair>& pairs);
// In one transaction. False with an exception.
bool set_pairs(PyObject* self, const std::vector<Pair>& pairs);

// A plain dict of the items, as of one moment.
Ref plain_dict(PyObject* self);

int add_dict(PyObject* module);

}  // namespace stmpy
