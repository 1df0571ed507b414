// STMSet: a set whose elements are transactional one by one. They are the keys of an STMDict's entries.
#pragma once

#include "runtime/python/collections/keyed.h"

namespace stmpy {

extern PyTypeObject* const stm_set_type;
inline bool is_stm_set(PyObject* object) { return PyObject_TypeCheck(object, stm_set_type); }

extern PyMethodDef set_methods[];

// The hash was asked for when it was collected.
struct Element {
  Ref object;
  Py_hash_t hash;
};
// Of an iterable. Runs code of the user's, of any kind. False with an exception.
bool collect_elements(PyObject* iterable, std::vector<Element>& elements);
// In a transaction: adds them.
Done add_elements(Thread& thread, PyObject* self, const std::vector<Element>& elements);

// The key for an element that is looked for: as set does, for a set it is a frozenset of the same elements,
// which `frozen` keeps.
Key key_of_element(PyObject* object, Ref& frozen);

// What another set or iterable has: of one of ours it is asked in the transaction, all else is read when the
// operand is made.
class Operand {
 public:
  // False with an exception.
  bool take(PyObject* source);
  // A list, set or frozenset; null with an exception.
  Ref now() const;
  Ref now_as_set() const;

 private:
  PyObject* ours_ = nullptr;
  Ref others_;
};

// The elements in a plain list or set, as of one moment; null with an exception.
Ref plain_list(PyObject* self);
Ref plain_set(PyObject* self);
// A new STMSet; null with an exception.
PyObject* new_set(const std::vector<Element>& elements);

int add_set(PyObject* module);

}  // namespace stmpy
