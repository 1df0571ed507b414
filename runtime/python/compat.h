// Every difference between CPython versions and builds, as small functions with one meaning.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/python/references.h"

namespace stmpy {

#ifdef Py_GIL_DISABLED
inline constexpr bool kFreeThreaded = true;
#else
inline constexpr bool kFreeThreaded = false;
#endif

// The attribute as the type and its bases have it, without descriptors. No error is ever set.
inline Ref type_lookup(PyTypeObject* type, PyObject* name) {
#if PY_VERSION_HEX >= 0x030d0000
  return Ref::steal(_PyType_LookupRef(type, name));
#else
  return Ref::borrow(_PyType_Lookup(type, name));
#endif
}

// Changes whenever the type or one of its bases does; 0 while the type has no valid tag. Unique over all
// types. A lookup gives the type a tag, unless it has used up its share.
inline std::uint32_t type_version(PyTypeObject* type) {
#ifdef Py_GIL_DISABLED
  return reinterpret_cast<std::atomic<unsigned int>*>(&type->tp_version_tag)->load(std::memory_order_acquire);
#else
  return type->tp_version_tag;
#endif
}

// Makes references to an object that every thread uses cheap to take. Only where the interpreter counts them
// atomically.
inline void share_between_threads([[maybe_unused]] PyObject* object) {
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000
  PyUnstable_Object_EnableDeferredRefcount(object);
#endif
}

// False: whoever asks has its only reference, which no other thread can be taking. May be true without need.
inline bool may_be_held(PyObject* object) {
#ifdef Py_GIL_DISABLED
  return object->ob_tid != _Py_ThreadId() ||
         reinterpret_cast<std::atomic<std::uint32_t>*>(&object->ob_ref_local)
                 ->load(std::memory_order_relaxed) != 1 ||
         reinterpret_cast<std::atomic<Py_ssize_t>*>(&object->ob_ref_shared)
                 ->load(std::memory_order_relaxed) != 0;
#else
  return Py_REFCNT(object) > 1;
#endif
}

// The module `queue` knows shutdown() and its exception.
inline constexpr bool kHasShutDown = PY_VERSION_HEX >= 0x030d0000;

// The interpreter is shutting down: no thread but this one runs Python code any more.
inline bool is_finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

// Of the interpreter: the one that runs signal handlers. Runs no code of the user's. True also where that
// cannot be told.
inline bool is_main_thread() {
#if PY_VERSION_HEX >= 0x030d0000
  static PyObject* const get_ident = [] {
    const Ref module = Ref::steal(PyImport_ImportModule("_thread"));
    PyObject* function = module ? PyObject_GetAttrString(module.get(), "_get_main_thread_ident") : nullptr;
    PyErr_Clear();
    return function;
  }();
  const Ref ident = Ref::steal(get_ident ? PyObject_CallNoArgs(get_ident) : nullptr);
  const unsigned long main_thread = ident ? PyLong_AsUnsignedLong(ident.get()) : PyThread_get_thread_ident();
  PyErr_Clear();
  return main_thread == PyThread_get_thread_ident();
#else
  return _PyOS_IsMainThread() != 0;
#endif
}

// The exception that is being raised, taken out of the thread's state, and put back.
class RaisedException {
 public:
  static RaisedException take() {
    RaisedException taken;
#if PY_VERSION_HEX >= 0x030c0000
    taken.value_ = Ref::steal(PyErr_GetRaisedException());
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type) {
      PyErr_NormalizeException(&type, &value, &traceback);
      if (traceback) PyException_SetTraceback(value, traceback);
      taken.value_ = Ref::steal(value);
      Py_XDECREF(type);
      Py_XDECREF(traceback);
    }
#endif
    return taken;
  }
  static RaisedException of(PyObject* exception) {
    RaisedException taken;
    taken.value_ = Ref::borrow(exception);
    return taken;
  }
  void raise_again() {
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(value_.release());
#else
    PyObject* value = value_.release();
    if (!value) return;
    PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(value))), value,
                  PyException_GetTraceback(value));
#endif
  }
  PyObject* get() const { return value_.get(); }

 private:
  Ref value_;
};

// A static type before its slots are filled in.
inline PyTypeObject unready_type(const char* name) {
  struct Header {
    PyVarObject object;
    int end_of_macro;
  } const header = {PyVarObject_HEAD_INIT(nullptr, 0) 0};
  PyTypeObject type = {};
  type.ob_base = header.object;
  type.tp_name = name;
  return type;
}

// The number of positional arguments of a METH_FASTCALL function.
inline bool check_count(const char* name, Py_ssize_t count, Py_ssize_t expected) {
  if (count == expected) return true;
  PyErr_Format(PyExc_TypeError, "%s expected %zd arguments, got %zd", name, expected, count);
  return false;
}

// An AttributeError that says what it is about.
inline void raise_attribute_error(PyObject* object, PyObject* name, Ref message) {
  if (!message) return;
  Ref error = Ref::steal(PyObject_CallOneArg(PyExc_AttributeError, message.get()));
  if (!error) return;
  if (PyObject_SetAttrString(error.get(), "name", name) < 0 ||
      PyObject_SetAttrString(error.get(), "obj", object) < 0)
    return;
  PyErr_SetObject(PyExc_AttributeError, error.get());
}

// The name is not there; `more` ends the message.
inline void raise_no_attribute(PyObject* object, PyObject* name, const char* more = "") {
  const char* type = Py_TYPE(object)->tp_name;
  raise_attribute_error(
      object, name,
      Ref::steal(PyUnicode_FromFormat("'%.100s' object has no attribute '%U'%s", type, name, more)));
}

// A name for which an object without an instance dict has no slot. `is_plain`: its class does not override
// __setattr__.
inline void raise_no_place(PyObject* object, PyObject* name, [[maybe_unused]] bool is_plain) {
#if PY_VERSION_HEX >= 0x030d0000
  raise_no_attribute(object, name, is_plain ? " and no __dict__ for setting new attributes" : "");
#else
  raise_no_attribute(object, name);
#endif
}

// A slot is read that has no value.
inline void raise_unset_slot(PyObject* object, PyObject* name) {
#if PY_VERSION_HEX >= 0x030d0000
  raise_attribute_error(object, name,
                        Ref::steal(PyUnicode_FromFormat("'%T' object has no attribute '%U'", object, name)));
#else
  raise_no_attribute(object, name);
#endif
}

}  // namespace stmpy
