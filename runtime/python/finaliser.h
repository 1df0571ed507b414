// `__del__` of an STMObject that dies inside of a transaction is called behind the end of the attempt: what
// it does is no part of the transaction, and is not taken back with it (protocol, section 11).
#pragma once

#include "runtime/python/thread.h"

namespace stmpy {

// For a class whose layout is made. Where its __del__ is replaced later on, the new one is not deferred.
void defer_finaliser(PyTypeObject* type);

// Of a list. Outside of transactions, no exception set. Any code may run.
void call_deferred_finalisers(Ref dying);

}  // namespace stmpy
