// What both extension modules have in common: each exists once in a process, in its main interpreter. The
// runtime's objects, types and threads are those of the process, and nothing of an interpreter that has its
// own may meet them.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <new>

namespace stmpy {

// `Fill(module)` fills the module, once: -1 with an exception. Importing it again, after it was removed from
// `sys.modules` or under another name, and reloading it give the same module, as it is.
template <int (*Fill)(PyObject* module)>
class ModuleOfProcess {
 public:
  // What the module's init function returns. Touches nothing yet: since Python 3.13 it is called in the main
  // interpreter also where another one imports.
  static PyObject* define(const char* name, const char* doc) {
    static PyModuleDef_Slot slots[] = {
        {Py_mod_create, reinterpret_cast<void*>(create)},
        {Py_mod_exec, reinterpret_cast<void*>(execute)},
#ifdef Py_mod_multiple_interpreters
        // Not so, but then it is create() that refuses the others, and says what to do.
        {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
        {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
        {0, nullptr},
    };
    static PyModuleDef definition = {
        PyModuleDef_HEAD_INIT, name, doc, 0, nullptr, slots, nullptr, nullptr, nullptr};
    return PyModuleDef_Init(&definition);
  }

 private:
  static PyObject* create(PyObject* spec, PyModuleDef* definition) {
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
      PyErr_Format(
          PyExc_ImportError,
          "%s cannot be imported in a subinterpreter: transactions are between the threads of the main "
          "interpreter. Import it there, and use threads, or processes, instead of subinterpreters",
          definition->m_name);
      return nullptr;
    }
    if (finalized) {
      PyErr_Format(
          PyExc_ImportError,
          "%s cannot be imported any more: the interpreter that had imported it was finalized, and its "
          "objects belong to that. Start a new process",
          definition->m_name);
      return nullptr;
    }
    if (the_module) return Py_NewRef(the_module);
    if (begun) {
      PyErr_Format(
          PyExc_ImportError,
          "%s cannot be imported any more: its import has failed before, half-way. Start a new process",
          definition->m_name);
      return nullptr;
    }
    PyObject* name = PyObject_GetAttrString(spec, "name");
    if (!name) return nullptr;
    PyObject* module = PyModule_NewObject(name);
    Py_DECREF(name);
    return module;
  }

  static int execute(PyObject* module) {
    if (the_module) return 0;
    begun = true;
    if (Py_AtExit([] { finalized = true; }) < 0) {  // there is room for 32
      PyErr_Format(PyExc_ImportError,
                   "%s cannot be imported: other extension modules have taken all 32 places of Py_AtExit(). "
                   "Import it before them",
                   PyModule_GetName(module));
      return -1;
    }
    try {
      if (Fill(module) < 0) return -1;
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
      return -1;
    }
    the_module = Py_NewRef(module);
    return 0;
  }

  static inline bool begun = false;
  static inline bool finalized = false;
  static inline PyObject* the_module = nullptr;  // filled; never let go
};

}  // namespace stmpy
