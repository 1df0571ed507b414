// Invariants: what holds for each object of a class whenever a transaction that wrote it commits (protocol,
// sections 6 and 9). Classes without any pay nothing: what finds the place of a write finds that there are
// none.
#pragma once

#include "runtime/python/call.h"

namespace stmpy {

extern PyMethodDef invariant_methods[];

// Whether objects of the class are checked. Those of the runtime's own classes are not.
bool has_invariants_of_its_own(Thread& thread, PyTypeObject* type);
inline bool has_invariants(Thread& thread, PyTypeObject* type) {
  return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) && has_invariants_of_its_own(thread, type);
}

// In a transaction: an object of such a class is made, or about to be written to. False with MemoryError.
bool note_written(Thread& thread, PyObject* object);

// For an outermost transaction that is about to commit: checks what was noted, until no check has written.
// False with an exception: the transaction is to be taken back.
bool check_invariants(Thread& thread);

// A new, empty object of such a class. From here on calls of its class's __init__ are transactions, at whose
// end the object is checked. Made outside, it is under construction until it is what it should be for the
// first time: `pickle` and `copy` fill it attribute by attribute. False with MemoryError.
bool begin_construction(PyObject* object);
// The call of its class ends, which has no __init__ of its own. -1 with an exception.
int end_construction(PyObject* object);

// Outside, for such an object: `write` (a Done, may run more than once) as a transaction at whose end it is
// checked. False with an exception.
bool write_checked(Thread& thread, PyObject* object, Done (*write)(void*), void* argument);

// Runs `body` (a Done, may run more than once), which writes to the object, in the transaction of the thread,
// or in one of its own. False with an exception.
template <class Body>
bool in_writing_transaction(Thread& thread, PyObject* object, Body body) {
  return in_writing_transaction(thread, object, Py_TYPE(object), body);
}
// The same for one that has another class afterwards.
template <class Body>
bool in_writing_transaction(Thread& thread, PyObject* object, PyTypeObject* type, Body body) {
  if (!has_invariants(thread, type)) return in_one_transaction(thread, body);
  if (!thread.in_transaction())
    return write_checked(
        thread, object, [](void* argument) { return (*static_cast<Body*>(argument))(); }, &body);
  return note_written(thread, object) && in_one_transaction(thread, body);
}

}  // namespace stmpy
