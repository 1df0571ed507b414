// Payloads that compiled code holds: when plain attribute access of them is right, and what it is when not.
//
// A payload's type is a plain slotted type, so that CPython specialises attribute access on it. That is right
// for an attribute which has a value, of an object whose class leaves the attribute to the instance. A frame
// may hold a payload over calls, and any of them can end this:
//
//   the attribute is deleted,           from then on the payload is of its type's *forwarding* twin, whose
//   the object's class is assigned      attribute access is that of the object. Only where somebody holds it;
//   it
//                                       is taken back when nobody does.
//   the class gains a property,         from then on the payload type itself forwards, for all objects of the
//   overrides __setattr__, …            class, until an open finds the class plain again
//
// Both end the validity of what the interpreter has specialised at its next instruction. Payloads are not
// held over the end of a transaction: until then the access map keeps their objects alive.
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// A new payload type, which forwards. Null with an exception.
Ref make_payload_type(Layout& layout, PyTypeObject* type);

// Plain access of the payload is right for all its attributes that have a value.
inline bool is_native(const Payload* payload) {
  return Py_TYPE(payload)->tp_getattro == PyObject_GenericGetAttr;
}
// Makes it so if it can be. Runs no code of the user's, sets no exception.
bool make_native(Thread& thread, PyObject* object);

// The object's attribute goes or its class changes: whoever holds the payload has to ask the object.
void forward_if_held(Shell* shell);

// A class is about to change, or has changed.
void class_changes(PyTypeObject* type);

}  // namespace stmpy
