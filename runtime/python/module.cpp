// stmpy._runtime, all of it in the C API.

#include "extension/module.h"

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
#include "runtime/python/transaction_view.h"
#include "runtime/python/unrecorded.h"
#include "runtime/python/waits.h"

namespace stmpy {
namespace {

// Every compiled access calls one of them, on every thread.
bool add_shared_functions(PyObject* module, PyMethodDef* methods) {
  if (PyModule_AddFunctions(module, methods) < 0) return false;
  for (; methods->ml_name; ++methods) {
    const Ref function = Ref::steal(PyObject_GetAttrString(module, methods->ml_name));
    if (!function) return false;
    share_between_threads(function.get());
  }
  return true;
}

bool add_functions(PyObject* module, PyMethodDef* methods) {
  return PyModule_AddFunctions(module, methods) == 0;
}

bool add_type(PyObject* module, const char* name, PyTypeObject* type) {
  return PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(type)) == 0;
}

int fill(PyObject* module) {
  const bool done =
      add_errors(module) == 0 && ready_object_type() == 0 && ready_layout_types() == 0 &&
      redirect_object_wrappers() == 0 && install_host() == 0 &&
      add_type(module, "STMObject", stm_object_type) &&
      add_type(module, "SlotDescriptor", &slot_descriptor_type) && add_atomic(module) == 0 &&
      add_shared_functions(module, compiled_methods) && add_shared_functions(module, block_methods) &&
      add_shared_functions(module, guard_methods) && add_shared_functions(module, retry_methods) &&
      add_functions(module, callback_methods) && add_functions(module, invariant_methods) &&
      add_functions(module, introspection_methods) && add_functions(module, wait_methods) &&
      add_functions(module, instance_methods) && add_functions(module, module_bytes_methods) &&
      add_block(module) == 0 && add_transaction_local(module) == 0 && add_transaction_view(module) == 0 &&
      add_unrecorded(module) == 0 && add_or_else(module) == 0 && add_collections(module) == 0;
  return done ? 0 : -1;
}

}  // namespace
}  // namespace stmpy

PyMODINIT_FUNC PyInit__runtime() {
  return stmpy::ModuleOfProcess<stmpy::fill>::define(
      "stmpy._runtime", "The runtime of stmpy: transactional objects, atomic functions, barriers.");
}
