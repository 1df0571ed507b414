from typing import Any, Literal, final

version: str

class DecodeError(ValueError):
    line: int

@final
class PositionMap: ...

@final
class Diagnostic:
    severity: Literal["error", "warning", "info"]
    code: str
    line: int
    column: int
    message: str
    hint: str

@final
class CompileResult:
    source: str
    changed: bool
    position_map: PositionMap
    diagnostics: list[Diagnostic]
    report: list[dict[str, Any]]
    static_attributes: dict[int, list[str]]

@final
class Finding:
    code: str
    line: int
    column: int
    end_line: int
    end_column: int
    message: str

@final
class Ignore:
    codes: list[str]
    whole_file: bool
    line: int
    column: int
    end_column: int
    first_line: int
    last_line: int
    first_column: int
    last_column: int

@final
class LintRule:
    code: str
    name: str
    severity: Literal["error", "warning", "info"]
    why: str
    hint: str

def lint(source: str) -> tuple[list[Finding], list[Ignore]]: ...
def lint_rules() -> list[LintRule]: ...
def compile(
    source: str, filename: str, *, compile_all: bool = False, _holds: bool = True
) -> CompileResult: ...
def decode(source: bytes) -> str: ...
def remap_location_table(
    table: bytes, firstlineno: int, python_hex_version: int, position_map: PositionMap
) -> tuple[bytes, int]: ...
