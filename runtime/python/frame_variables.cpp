#include "runtime/python/frame_variables.h"

namespace stmpy {
namespace {

Ref unless(PyObject* absence, PyObject* value) {
  if (!value && PyErr_ExceptionMatches(absence)) PyErr_Clear();
  return Ref::steal(value);
}

}  // namespace

FrameVariables::FrameVariables() : frame_(PyEval_GetFrame()) {
  const Ref code = Ref::steal(frame_ ? reinterpret_cast<PyObject*>(PyFrame_GetCode(frame_)) : nullptr);
  const bool is_function =
      code && (reinterpret_cast<PyCodeObject*>(code.get())->co_flags & CO_OPTIMIZED) != 0;
  if (!is_function) {
    frame_ = nullptr;
    namespace_ = Ref::borrow(PyEval_GetLocals());
    return;
  }
#if PY_VERSION_HEX < 0x030c0000
  namespace_ = Ref::steal(PyFrame_GetLocals(frame_));
  PyErr_Clear();
#endif
}

// Before 3.12 the dict stays with the frame, and would keep alive what the function lets go of.
FrameVariables::~FrameVariables() {
  const bool is_copy = frame_ && namespace_;
  if (is_copy && Py_REFCNT(namespace_.get()) == 2) PyDict_Clear(namespace_.get());
}

Ref FrameVariables::get(PyObject* name) const {
#if PY_VERSION_HEX >= 0x030c0000
  if (frame_) return unless(PyExc_NameError, PyFrame_GetVar(frame_, name));
#endif
  if (!namespace_) return Ref();
  return unless(PyExc_KeyError, PyObject_GetItem(namespace_.get(), name));
}

Ref GlobalVariables::get(PyObject* name) const {
  PyObject* globals = PyEval_GetGlobals();
  return globals ? unless(PyExc_KeyError, PyObject_GetItem(globals, name)) : Ref();
}

}  // namespace stmpy
