// stmpy._runtime: hot entry points in the C API, the rest bound with pybind11.

#include "runtime/python/atomic.h"
#include "runtime/python/barriers.h"
#include "runtime/python/block.h"
#include "runtime/python/callbacks.h"
#include "runtime/python/collections/collections.h"
#include "runtime/python/compiled.h"
#include "runtime/python/errors.h"
#include "runtime/python/guards.h"
#include "runtime/python/instance.h"
#include "runtime/python/introspection.h"
#include "runtime/python/invariants.h"
#include "runtime/python/module_bytes.h"
#include "runtime/python/object.h"
#include "runtime/python/object_wrappers.h"
#include "runtime/python/or_else.h"
#include "runtime/python/retry.h"
#include "runtime/python/transaction_local.h"
#include "runtime/python/unrecorded.h"

namespace stmpy {
namespace {

void check(bool done) {
  if (!done) throw pybind11::error_already_set();
}

// Every compiled access calls one of them, on every thread.
void share_functions(PyObject* module, const PyMethodDef* methods) {
  for (; methods->ml_name; ++methods) {
    Ref function = Ref::steal(PyObject_GetAttrString(module, methods->ml_name));
    check(static_cast<bool>(function));
    share_between_threads(function.get());
  }
}

}  // namespace
}  // namespace stmpy

PYBIND11_MODULE(_runtime, module, pybind11::mod_gil_not_used(),
                pybind11::multiple_interpreters::not_supported()) {
  using namespace stmpy;
  module.doc() = "The runtime of stmpy: transactional objects, atomic functions, barriers.";
  check(add_errors(module.ptr()) == 0);
  check(ready_object_type() == 0);
  check(ready_layout_types() == 0);
  check(redirect_object_wrappers() == 0);
  check(install_host() == 0);
  check(PyModule_AddObjectRef(module.ptr(), "STMObject", reinterpret_cast<PyObject*>(stm_object_type)) == 0);
  check(PyModule_AddObjectRef(module.ptr(), "SlotDescriptor",
                              reinterpret_cast<PyObject*>(&slot_descriptor_type)) == 0);
  check(add_atomic(module.ptr()) == 0);
  check(PyModule_AddFunctions(module.ptr(), compiled_methods) == 0);
  check(PyModule_AddFunctions(module.ptr(), block_methods) == 0);
  check(PyModule_AddFunctions(module.ptr(), guard_methods) == 0);
  check(PyModule_AddFunctions(module.ptr(), callback_methods) == 0);
  check(PyModule_AddFunctions(module.ptr(), invariant_methods) == 0);
  check(add_block(module.ptr()) == 0);
  check(add_transaction_local(module.ptr()) == 0);
  check(add_unrecorded(module.ptr()) == 0);
  check(PyModule_AddFunctions(module.ptr(), retry_methods) == 0);
  check(add_or_else(module.ptr()) == 0);
  check(add_collections(module.ptr()) == 0);
  check(PyModule_AddFunctions(module.ptr(), instance_methods) == 0);
  check(PyModule_AddFunctions(module.ptr(), module_bytes_methods) == 0);
  share_functions(module.ptr(), compiled_methods);
  share_functions(module.ptr(), block_methods);
  share_functions(module.ptr(), guard_methods);
  share_functions(module.ptr(), retry_methods);
  add_introspection(module);
}
