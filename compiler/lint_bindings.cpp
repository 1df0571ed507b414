#include "lint_bindings.h"

#include <pybind11/stl.h>

#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "lint/lint.h"
#include "text/line_table.h"

namespace py = pybind11;
using namespace py::literals;

namespace stmpy::compiler {

namespace {

// Lines from 1, columns from 0 and in characters; ends are exclusive.
struct PythonFinding {
  std::string code;
  uint32_t line, column, end_line, end_column;
  std::string message;
};

struct PythonIgnore {
  std::vector<std::string> codes;
  bool whole_file;
  uint32_t line, column, end_column;
  // The logical line that it silences, or 0.
  uint32_t first_line, first_column, last_line, last_column;
};

class Places {
 public:
  explicit Places(std::string_view source) : source_(source), lines_(source) {}

  // Line and column.
  std::pair<uint32_t, uint32_t> operator()(uint32_t offset) const {
    const Position position = lines_.position(offset);
    return {position.line, lines_.character_column(source_, position)};
  }

 private:
  std::string_view source_;
  LineTable lines_;
};

PythonFinding to_python(const Finding& finding, const Places& places) {
  const auto [line, column] = places(finding.start);
  const auto [end_line, end_column] = places(finding.end);
  return {std::string(finding.rule->code), line, column, end_line, end_column, finding.message};
}

PythonIgnore to_python(const Ignore& ignore, const Places& places) {
  const auto [line, column] = places(ignore.start);
  PythonIgnore result{ignore.codes, ignore.whole_file, line, column, places(ignore.end).second, 0, 0, 0, 0};
  if (ignore.line_end == 0) return result;
  std::tie(result.first_line, result.first_column) = places(ignore.line_start);
  std::tie(result.last_line, result.last_column) = places(ignore.line_end);
  return result;
}

py::tuple lint_source(const py::str& source) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(source.ptr(), &size);
  if (text == nullptr) {
    // Surrogates, which no source can hold.
    if (!PyErr_ExceptionMatches(PyExc_UnicodeError)) throw py::error_already_set();
    PyErr_Clear();
    return py::make_tuple(py::list(), py::list());
  }
  const std::string_view view(text, static_cast<size_t>(size));
  LintResult result;
  {
    const py::gil_scoped_release released;
    result = lint(view);
  }
  const Places places(view);
  std::vector<PythonFinding> findings;
  for (const Finding& finding : result.findings) findings.push_back(to_python(finding, places));
  std::vector<PythonIgnore> ignores;
  for (const Ignore& ignore : result.ignores) ignores.push_back(to_python(ignore, places));
  return py::make_tuple(findings, ignores);
}

std::vector<const LintRule*> all_rules() { return {lint_rules().begin(), lint_rules().end()}; }

}  // namespace

void bind_lint(py::module_& module) {
  py::class_<PythonFinding>(module, "Finding", py::is_final())
      .def_readonly("code", &PythonFinding::code)
      .def_readonly("line", &PythonFinding::line)
      .def_readonly("column", &PythonFinding::column)
      .def_readonly("end_line", &PythonFinding::end_line)
      .def_readonly("end_column", &PythonFinding::end_column)
      .def_readonly("message", &PythonFinding::message);
  py::class_<PythonIgnore>(module, "Ignore", py::is_final())
      .def_readonly("codes", &PythonIgnore::codes)
      .def_readonly("whole_file", &PythonIgnore::whole_file)
      .def_readonly("line", &PythonIgnore::line)
      .def_readonly("column", &PythonIgnore::column)
      .def_readonly("end_column", &PythonIgnore::end_column)
      .def_readonly("first_line", &PythonIgnore::first_line)
      .def_readonly("first_column", &PythonIgnore::first_column)
      .def_readonly("last_line", &PythonIgnore::last_line)
      .def_readonly("last_column", &PythonIgnore::last_column);
  py::class_<LintRule>(module, "LintRule", py::is_final())
      .def_property_readonly("code", [](const LintRule& rule) { return rule.code; })
      .def_property_readonly("name", [](const LintRule& rule) { return rule.name; })
      .def_property_readonly("severity", [](const LintRule& rule) { return to_string(rule.severity); })
      .def_property_readonly("why", [](const LintRule& rule) { return rule.why; })
      .def_property_readonly("hint", [](const LintRule& rule) { return rule.hint; });
  module.def("lint", &lint_source, "source"_a,
             "What the source should not do in its transactions, and the comments that silence findings.");
  module.def("lint_rules", &all_rules, py::return_value_policy::reference,
             "The rules, in the order of their codes.");
}

}  // namespace stmpy::compiler
