// stmpy._compiler: the compiler as the Python package sees it.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "compile.h"
#include "extension/module.h"
#include "lint_bindings.h"
#include "text/location_table.h"
#include "text/source.h"

namespace py = pybind11;
using namespace py::literals;

namespace stmpy::compiler {

namespace {

struct PythonDiagnostic {
  std::string severity, code;
  uint32_t line, column;
  std::string message, hint;
};

struct PythonResult {
  py::str source;
  bool changed;
  std::shared_ptr<PositionMap> position_map;
  std::vector<PythonDiagnostic> diagnostics;
  py::list report;
  py::dict static_attributes;
};

PythonDiagnostic to_python(const Diagnostic& diagnostic, uint32_t column) {
  return {std::string(to_string(diagnostic.rule->severity)),
          std::string(diagnostic.rule->code),
          diagnostic.place.line,
          column,
          diagnostic.message,
          std::string(diagnostic.rule->hint)};
}

py::dict to_python(const FunctionReport& function, std::string_view source, const LineTable& lines) {
  py::list accesses;
  const auto or_none = [](std::string_view text) -> py::object {
    return text.empty() ? py::object(py::none()) : py::str(text.data(), text.size());
  };
  for (const auto& [place, access, barrier, of] : function.accesses) {
    const py::object reused_of =
        of.has_value() ? py::object(py::make_tuple(of->line, lines.character_column(source, *of)))
                       : py::object(py::none());
    const Position end = lines.position(access.name_end);
    accesses.append(py::dict("end_line"_a = end.line, "end_column"_a = lines.character_column(source, end),
                             "line"_a = place.line, "column"_a = lines.character_column(source, place),
                             "attribute"_a = access.attribute, "kind"_a = or_none(to_string(access.kind)),
                             "plan"_a = or_none(to_string(access.fate)), "why"_a = or_none(access.why),
                             "mode"_a = or_none(to_string(access.mode)), "barrier"_a = or_none(barrier),
                             "first_turn"_a = access.form == Form::first_turn, "of"_a = reused_of));
  }
  return py::dict("name"_a = function.name, "line"_a = function.line, "reason"_a = function.reason,
                  "accesses"_a = accesses);
}

// A str that has no UTF-8 form holds surrogates, which no source can.
PythonResult refuse_surrogates(const py::str& source) {
  const Diagnostic diagnostic{&rules::unreadable_text, {1, 0}, "the source contains surrogate characters"};
  const LineTable empty("");
  return {source,
          false,
          std::make_shared<PositionMap>(empty, empty, std::vector<Segment>()),
          {to_python(diagnostic, 0)},
          py::list(),
          py::dict()};
}

PythonResult compile_source(const py::str& source, const py::str&, bool compile_all, bool holds) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(source.ptr(), &size);
  if (text == nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeError)) throw py::error_already_set();
    PyErr_Clear();
    return refuse_surrogates(source);
  }
  // The str keeps its UTF-8 form, and the caller the str.
  const std::string_view view(text, static_cast<size_t>(size));
  std::optional<CompileResult> result;
  {
    const py::gil_scoped_release released;
    result = compile(view, {compile_all, holds});
  }
  const LineTable lines(view);
  PythonResult answer{result->changed ? py::str(result->text) : source,
                      result->changed,
                      std::make_shared<PositionMap>(std::move(result->map)),
                      {},
                      py::list(),
                      py::dict()};
  for (const Diagnostic& diagnostic : result->diagnostics) {
    answer.diagnostics.push_back(to_python(diagnostic, lines.character_column(view, diagnostic.place)));
  }
  for (const FunctionReport& function : result->report)
    answer.report.append(to_python(function, view, lines));
  for (const auto& [line, names] : result->static_attributes) {
    answer.static_attributes[py::int_(line)] = py::cast(std::vector<std::string>(names.begin(), names.end()));
  }
  return answer;
}

[[noreturn]] void raise_decode_error(const std::string& message, uint32_t line) {
  const py::object type = py::module_::import("stmpy._compiler").attr("DecodeError");
  const py::object error = type(message);
  error.attr("line") = line;
  PyErr_SetObject(type.ptr(), error.ptr());
  throw py::error_already_set();
}

py::str decode(const py::bytes& source) {
  const std::string_view bytes(source);
  SourceEncoding encoding;
  size_t invalid = bytes.size();
  size_t null = std::string_view::npos;
  std::optional<Refusal> refusal;
  {
    const py::gil_scoped_release released;
    try {
      encoding = find_encoding(bytes);
      if (encoding.is_utf8) invalid = find_invalid_utf8(bytes);
      null = bytes.find('\0');
    } catch (const Refusal& caught) {
      refusal = caught;
    }
  }
  const auto line_of = [&](size_t offset) { return LineTable(bytes.substr(0, offset)).line_count(); };
  if (refusal.has_value()) raise_decode_error(refusal->what(), line_of(refusal->offset()));
  if (null != std::string_view::npos)
    raise_decode_error("source code cannot contain null bytes", line_of(null));
  if (invalid != bytes.size()) raise_decode_error("the bytes are not valid UTF-8", line_of(invalid));

  const std::string_view text = bytes.substr(encoding.text_start);
  PyObject* decoded = encoding.is_utf8
                          ? PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "strict")
                          : PyUnicode_Decode(text.data(), static_cast<Py_ssize_t>(text.size()),
                                             encoding.name.c_str(), "strict");
  if (decoded != nullptr) return py::reinterpret_steal<py::str>(decoded);

  py::error_already_set error;
  if (error.matches(PyExc_LookupError)) raise_decode_error("unknown encoding: " + encoding.name, 1);
  if (!error.matches(PyExc_UnicodeDecodeError)) throw error;
  const auto at = error.value().attr("start").cast<size_t>();
  raise_decode_error("the bytes are not valid " + encoding.name, line_of(at));
}

py::tuple remap(const py::bytes& table, uint32_t first_line, uint32_t python_version,
                const PositionMap& map) {
  const CodeLocations result = remap_location_table(std::string_view(table), first_line, python_version, map);
  return py::make_tuple(py::bytes(result.table), result.first_line);
}

void bind(py::module_ module) {
  module.attr("version") = STMPY_COMPILER_VERSION;

  const py::object decode_error = py::reinterpret_steal<py::object>(
      PyErr_NewException("stmpy._compiler.DecodeError", PyExc_ValueError, nullptr));
  module.attr("DecodeError") = decode_error;

  py::class_<PositionMap, std::shared_ptr<PositionMap>>(module, "PositionMap", py::is_final());
  py::class_<PythonDiagnostic>(module, "Diagnostic", py::is_final())
      .def_readonly("severity", &PythonDiagnostic::severity)
      .def_readonly("code", &PythonDiagnostic::code)
      .def_readonly("line", &PythonDiagnostic::line)
      .def_readonly("column", &PythonDiagnostic::column)
      .def_readonly("message", &PythonDiagnostic::message)
      .def_readonly("hint", &PythonDiagnostic::hint);
  py::class_<PythonResult>(module, "CompileResult", py::is_final())
      .def_readonly("source", &PythonResult::source)
      .def_readonly("changed", &PythonResult::changed)
      .def_readonly("position_map", &PythonResult::position_map)
      .def_readonly("diagnostics", &PythonResult::diagnostics)
      .def_readonly("report", &PythonResult::report)
      .def_readonly("static_attributes", &PythonResult::static_attributes);

  module.def("compile", &compile_source, "source"_a, "filename"_a, py::kw_only(), "compile_all"_a = false,
             "_holds"_a = true,
             "The source with the accesses of its atomic functions as calls of the runtime.");
  module.def("decode", &decode, "source"_a,
             "The text of a source file's bytes, in the encoding they declare. Raises DecodeError.");
  module.def("remap_location_table", &remap, "table"_a, "firstlineno"_a, "python_hex_version"_a,
             "position_map"_a,
             "A code object's location table and first line, for the source instead of the generated text.");
  bind_lint(module);
}

int fill(PyObject* module) {
  try {
    bind(py::reinterpret_borrow<py::module_>(module));
    return 0;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::runtime_error& error) {
    PyErr_SetString(PyExc_ImportError, error.what());
  }
  return -1;
}

}  // namespace

}  // namespace stmpy::compiler

PyMODINIT_FUNC PyInit__compiler() {
  return stmpy::ModuleOfProcess<stmpy::compiler::fill>::define(
      "stmpy._compiler",
      "Source text to source text: attribute accesses of atomic functions become calls of the runtime.");
}
