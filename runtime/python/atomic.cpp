#include "runtime/python/atomic.h"

#include <cstring>
#include <new>

#include "runtime/python/atomic_function.h"
#include "runtime/python/call.h"
#include "runtime/python/errors.h"
#include "runtime/python/object.h"

namespace stmpy {
namespace {

// `atomic`, or `atomic(timeout=...)` before it is given its function.
struct Decorator {
  PyObject_HEAD Options options;  // its name is owned; null: the function's own
};

PyObject* the_atomic = nullptr;  // `stmpy.atomic`, for the life of the process

const Options& options_of(PyObject* self) { return reinterpret_cast<Decorator*>(self)->options; }

bool usage_error(const char* message, PyObject* about) {
  PyErr_Format(errors::usage_error, message, about);
  return false;
}

bool parse_timeout(PyObject* given, Options& options) {
  options.timeout = given == Py_None ? -1 : PyFloat_AsDouble(given);
  const bool is_number = !PyErr_Occurred();
  PyErr_Clear();
  if (given == Py_None || (is_number && options.timeout >= 0)) return true;
  return usage_error("timeout must be a number of seconds, 0 or more, or None; not %R", given);
}

bool parse_max_attempts(PyObject* given, Options& options) {
  options.max_attempts = 0;
  if (given == Py_None) return true;
  const long long number = PyLong_Check(given) ? PyLong_AsLongLong(given) : 0;
  PyErr_Clear();
  if (number < 1) return usage_error("max_attempts must be an integer, 1 or more, or None; not %R", given);
  options.max_attempts = static_cast<std::uint64_t>(number);
  return true;
}

bool parse_reads(PyObject* given, Options& options) {
  const bool is_text = PyUnicode_Check(given);
  options.exclusive = is_text && PyUnicode_CompareWithASCIIString(given, "exclusive") == 0;
  if (options.exclusive || (is_text && PyUnicode_CompareWithASCIIString(given, "shared") == 0)) return true;
  return usage_error("reads must be \"shared\" or \"exclusive\", not %R", given);
}

bool parse_irrevocable(PyObject* given, Options& options) {
  options.irrevocable = given == Py_True;
  if (PyBool_Check(given)) return true;
  return usage_error("irrevocable must be True or False, not %R", given);
}

bool parse_name(PyObject* given, Ref& name) {
  if (given == Py_None) {
    name = Ref();
    return true;
  }
  if (!PyUnicode_CheckExact(given)) return usage_error("name must be a string or None, not %R", given);
  Py_INCREF(given);
  PyUnicode_InternInPlace(&given);
  name = Ref::steal(given);
  return true;
}

bool parse_options(PyObject* kwargs, Options& options, Ref& name) {
  PyObject *key, *value;
  for (Py_ssize_t position = 0; PyDict_Next(kwargs, &position, &key, &value);) {
    const auto is = [&](const char* argument) {
      return PyUnicode_CompareWithASCIIString(key, argument) == 0;
    };
    if (!(is("timeout")        ? parse_timeout(value, options)
          : is("max_attempts") ? parse_max_attempts(value, options)
          : is("reads")        ? parse_reads(value, options)
          : is("irrevocable")  ? parse_irrevocable(value, options)
          : is("name")
              ? parse_name(value, name)
              : usage_error(
                    "atomic has no argument %R: it takes timeout, max_attempts, reads, irrevocable and name",
                    key))) {
      return false;
    }
  }
  return true;
}

// The name a function's transactions carry, interned.
Ref name_of(PyObject* function, const Options& options) {
  if (options.name) return Ref::borrow(options.name);
  Ref name = Ref::steal(PyObject_GetAttrString(function, "__qualname__"));
  if (!name || !PyUnicode_CheckExact(name.get())) {
    PyErr_Clear();
    name = Ref::steal(PyUnicode_FromFormat("%.200s", Py_TYPE(function)->tp_name));
    if (!name) return name;
  }
  PyObject* interned = name.release();
  PyUnicode_InternInPlace(&interned);
  return Ref::steal(interned);
}

// False with TransactionUsageError for what cannot be run as a transaction.
bool check_callable(PyObject* function) {
  if (PyType_Check(function)) {
    return usage_error(
        "@atomic is for functions, and %R is a class: decorate its methods, or call it in an atomic function",
        function);
  }
  if (!PyCallable_Check(function)) return usage_error("@atomic needs a function, not %R", function);
  if (std::strcmp(Py_TYPE(function)->tp_name, "functools.partial") == 0) {
    Ref inner = Ref::steal(PyObject_GetAttrString(function, "func"));
    return inner && check_callable(inner.get());
  }
  Ref code = Ref::steal(PyObject_GetAttrString(function, "__code__"));
  if (!code) PyErr_Clear();
  if (code && PyCode_Check(code.get())) {
    const int flags = reinterpret_cast<PyCodeObject*>(code.get())->co_flags;
    if (flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) {
      return usage_error(
          "%R is asynchronous, and a transaction cannot span an await: put the accesses into an ordinary "
          "function "
          "under @atomic and call that",
          function);
    }
    if (flags & CO_GENERATOR) {
      return usage_error(
          "%R is a generator function, and a transaction cannot span a yield: build a list in an ordinary "
          "function "
          "under @atomic and return it",
          function);
    }
  }
  return true;
}

PyObject* wrap(PyObject* function, const Options& given) {
  if (!check_callable(function)) return nullptr;
  Ref name = name_of(function, given);
  if (!name) return nullptr;
  Options options = given;
  options.name = name.get();
  return make_atomic_function(function, options);
}

// property(fget, fset, fdel, doc) with each function made atomic; subclasses of property keep their class.
PyObject* wrap_property(PyObject* property, const Options& options) {
  Ref accessors[3];
  const char* const attributes[] = {"fget", "fset", "fdel"};
  for (int index = 0; index < 3; ++index) {
    Ref function = Ref::steal(PyObject_GetAttrString(property, attributes[index]));
    if (!function) return nullptr;
    accessors[index] =
        function.get() == Py_None ? std::move(function) : Ref::steal(wrap(function.get(), options));
    if (!accessors[index]) return nullptr;
  }
  Ref doc = Ref::steal(PyObject_GetAttrString(property, "__doc__"));
  if (!doc) return nullptr;
  return PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(Py_TYPE(property)), accessors[0].get(),
                                      accessors[1].get(), accessors[2].get(), doc.get(), nullptr);
}

// The block form: the function carries the name under which its decorator is known where it stands.
bool is_block(PyObject* function) {
  if (!PyFunction_Check(function)) return false;
  PyObject* name = reinterpret_cast<PyFunctionObject*>(function)->func_name;
  if (PyUnicode_Compare(name, names::stm_block) == 0) return true;
  PyObject* globals = PyEval_GetGlobals();
  PyObject* bound = globals ? PyDict_GetItemWithError(globals, name) : nullptr;
  if (bound == the_atomic) return true;
  if (PyUnicode_CompareWithASCIIString(name, "atomic") != 0) return false;
  PyObject* locals = PyEval_GetLocals();
  Ref local = locals ? Ref::steal(PyObject_GetItem(locals, name)) : Ref();
  PyErr_Clear();
  return local.get() == the_atomic;
}

// False with TransactionUsageError for a block that cannot be run: whoever writes one with parameters means a
// function.
bool check_block(PyObject* block) {
  const auto* function = reinterpret_cast<PyFunctionObject*>(block);
  const auto* code = reinterpret_cast<PyCodeObject*>(function->func_code);
  const Py_ssize_t defaults = function->func_defaults ? PyTuple_GET_SIZE(function->func_defaults) : 0;
  const Py_ssize_t keyword_defaults =
      function->func_kwdefaults ? PyDict_GET_SIZE(function->func_kwdefaults) : 0;
  if (code->co_argcount <= defaults && code->co_kwonlyargcount <= keyword_defaults) return true;
  return usage_error(
      "%R is named as its decorator: that is a block, which runs at once and has no parameters; give the "
      "function "
      "another name to call it",
      block);
}

PyObject* decorate(PyObject* function, const Options& options) {
  if (is_block(function)) {
    if (!check_callable(function) || !check_block(function)) return nullptr;
    Ref name = name_of(function, options);
    if (!name) return nullptr;
    Options named = options;
    named.name = name.get();
    Ref result = Ref::steal(call_atomically(named, function, nullptr, 0, nullptr));
    return result ? Py_NewRef(the_atomic) : nullptr;
  }
  if (PyObject_TypeCheck(function, &PyStaticMethod_Type) ||
      PyObject_TypeCheck(function, &PyClassMethod_Type)) {
    Ref inner = Ref::steal(PyObject_GetAttrString(function, "__func__"));
    Ref atomic = inner ? Ref::steal(wrap(inner.get(), options)) : Ref();
    return atomic ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(Py_TYPE(function)), atomic.get())
                  : nullptr;
  }
  if (PyObject_TypeCheck(function, &PyProperty_Type)) return wrap_property(function, options);
  return wrap(function, options);
}

PyTypeObject* decorator_type();

PyObject* decorator_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  const bool has_keywords = kwargs && PyDict_GET_SIZE(kwargs) > 0;
  if (count == 1 && !has_keywords) return decorate(PyTuple_GET_ITEM(args, 0), options_of(self));
  if (count == 0 && !has_keywords) return Py_NewRef(self);
  if (count != 0) {
    PyErr_SetString(errors::usage_error,
                    "atomic takes one function, or arguments by keyword: @atomic, or @atomic(timeout=1.0); "
                    "to run a function at "
                    "once use atomically(function, ...)");
    return nullptr;
  }
  Options options = options_of(self);
  Ref name = Ref::borrow(options.name);
  if (has_keywords && !parse_options(kwargs, options, name)) return nullptr;
  PyObject* configured = decorator_type()->tp_alloc(decorator_type(), 0);
  if (!configured) return nullptr;
  options.name = name.release();
  new (&reinterpret_cast<Decorator*>(configured)->options) Options(options);
  return configured;
}

PyObject* decorator_enter(PyObject*, PyObject*) {
  PyErr_SetString(
      PyExc_RuntimeError,
      "'with atomic():' is a block that may have to run again, which only compiled code can do: "
      "run the script with 'python -m stmpy run', or import its module behind 'import stmpy.hook'. "
      "(Where that is done, the compiler's warnings say why this block stayed as it is.) "
      "Code that has to run uncompiled writes '@atomic' above 'def atomic():', which runs at once, "
      "or calls stmpy.atomically(function)");
  return nullptr;
}

PyObject* decorator_exit(PyObject*, PyObject*) { Py_RETURN_NONE; }

PyObject* decorator_repr(PyObject* self) {
  return PyUnicode_FromString(self == the_atomic ? "stmpy.atomic" : "stmpy.atomic(...)");
}

void decorator_dealloc(PyObject* self) {
  Py_XDECREF(options_of(self).name);
  Py_TYPE(self)->tp_free(self);
}

PyObject* decorator_reduce(PyObject* self, PyObject*) {
  if (self == the_atomic) return PyUnicode_FromString("atomic");
  PyErr_SetString(PyExc_TypeError, "cannot pickle stmpy.atomic(...) without a function");
  return nullptr;
}

PyMethodDef decorator_methods[] = {
    {"__enter__", decorator_enter, METH_NOARGS, "Only in compiled code."},
    {"__exit__", decorator_exit, METH_VARARGS, "Only in compiled code."},
    {"__reduce__", decorator_reduce, METH_NOARGS, "Helper for pickle."},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject make_decorator_type() {
  PyTypeObject type = unready_type("stmpy.atomic");
  type.tp_doc =
      "atomic(function), or atomic(*, timeout=None, max_attempts=None, reads=\"shared\", "
      "irrevocable=False, name=None)(function)\n\n"
      "Each call of the function is a transaction: all of its effects on STMObjects happen at once or not at "
      "all. Called inside "
      "of a transaction it is nested: an exception reverts just its part.\n\n"
      "timeout       seconds the whole call may wait for others; then TransactionTimeout\n"
      "max_attempts  how often it may be run; then TooManyAttempts\n"
      "reads         \"shared\", or \"exclusive\": any access by two transactions conflicts\n"
      "irrevocable   True: the transaction runs once, is never aborted, and may do what cannot be taken "
      "back, "
      "such as I/O. At most one at a time; it waits for its turn, and may not retry(). Nested in another one "
      "it has "
      "that one run again, as irrevocable\n"
      "name          what the transaction is called; the function's qualified name by default\n\n"
      "Raises TransactionUsageError for generator and coroutine functions, and for wrong arguments.";
  type.tp_basicsize = sizeof(Decorator);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_call = decorator_call;
  type.tp_dealloc = decorator_dealloc;
  type.tp_repr = decorator_repr;
  type.tp_methods = decorator_methods;
  return type;
}

PyTypeObject* decorator_type() {
  static PyTypeObject type = make_decorator_type();
  return &type;
}

PyObject* atomically(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (nargs < 1) {
    PyErr_SetString(errors::usage_error,
                    "atomically needs the function to run: atomically(function, *args, **kwargs)");
    return nullptr;
  }
  if (!check_callable(args[0])) return nullptr;
  Options options;
  Ref name = name_of(args[0], options);
  if (!name) return nullptr;
  options.name = name.get();
  return call_atomically(options, args[0], args + 1, static_cast<std::size_t>(nargs - 1), kwnames);
}

PyObject* compiled(PyObject*, PyObject* function) {
  const bool is_method = PyObject_TypeCheck(function, &PyStaticMethod_Type) ||
                         PyObject_TypeCheck(function, &PyClassMethod_Type) ||
                         PyObject_TypeCheck(function, &PyProperty_Type);
  if (!PyCallable_Check(function) && !is_method) {
    usage_error("@compiled needs a function, not %R", function);
    return nullptr;
  }
  return Py_NewRef(function);
}

PyMethodDef functions[] = {
    {"atomically", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(atomically)),
     METH_FASTCALL | METH_KEYWORDS,
     "atomically(function, /, *args, **kwargs)\n\nRuns function(*args, **kwargs) in a transaction now and "
     "returns its result. As a "
     "decorator of a function without parameters: runs it and binds its result.\n\nRaises what the function "
     "raises, and "
     "TransactionUsageError for what cannot run in a transaction."},
    {"compiled", compiled, METH_O,
     "compiled(function)\n\nMarks a helper whose attribute accesses the compiler turns into barriers. No "
     "transaction is started; it "
     "works inside and outside of one. Returns the function itself."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

const Options* options_of_atomic(PyObject* object) {
  return Py_TYPE(object) == decorator_type() ? &options_of(object) : nullptr;
}

int add_atomic(PyObject* module) {
  if (PyType_Ready(decorator_type()) < 0 || PyType_Ready(&atomic_function_type) < 0) return -1;
  the_atomic = decorator_type()->tp_alloc(decorator_type(), 0);
  if (!the_atomic) return -1;
  new (&reinterpret_cast<Decorator*>(the_atomic)->options) Options;
  return PyModule_AddObjectRef(module, "atomic", the_atomic) < 0 ||
                 PyModule_AddObjectRef(module, "AtomicFunction",
                                       reinterpret_cast<PyObject*>(&atomic_function_type)) < 0 ||
                 PyModule_AddFunctions(module, functions) < 0
             ? -1
             : 0;
}

}  // namespace stmpy
