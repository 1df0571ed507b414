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

def compile(source: str, filename: str, *, compile_all: bool = False) -> CompileResult: ...
def decode(source: bytes) -> str: ...
def remap_location_table(
    table: bytes, firstlineno: int, python_hex_version: int, position_map: PositionMap
) -> tuple[bytes, int]: ...
