"""One thing the compiler has to say about a source."""

from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]

# A diagnostic in the form in which it is kept.
Fields: TypeAlias = tuple[Severity, str, int, int, str, str]


class Diagnostic(NamedTuple):
    """What the compiler has to say about a place in the source.

    `line` counts from 1, `column` (in characters) from 0; `code` is stable (``STM101``); `hint` says what to
    do.
    """

    severity: Severity
    code: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.hint})" if self.hint else "")
