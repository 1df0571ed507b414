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
// Of an STMDict. False with an exception.
bool collect_pairs_of_ours(PyObject* dict, std::vector<Pair>& pairs);
// What dict(*args, **kwargs), dict.update and | take: an STMDict is asked for its pairs in the transaction,
// all else is read when the source is made, by code of the user's of any kind.
class PairSource {
 public:
  // False with an exception.
  bool take(PyObject* other);
  bool take_arguments(const char* name, PyObject* args, PyObject* kwargs);
  bool is_empty() const { return !ours_ && others_.empty(); }
  bool is_ours() const { return ours_; }
  // Adds what it has now. False with an exception.
  bool now(std::vector<Pair>& pairs) const;
  // Sets it in one transaction. False with an exception.
  bool set_in(PyObject* self) const;

 private:
  PyObject* ours_ = nullptr;
  std::vector<Pair> others_;
};
// In one transaction. False with an exception.
bool set_pairs(PyObject* self, const std::vector<Pair>& pairs);

// A plain dict of the items, as of one moment.
Ref plain_dict(PyObject* self);

int add_dict(PyObject* module);

}  // namespace stmpy
