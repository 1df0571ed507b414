"""Functions that read and write attributes of a few variables, which one barrier may answer together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from expressions import OPERATORS
from hypothesis import strategies as st


class Updates:
    """Makes bodies for `u(s, t, n)`, which suspends nowhere, encloses nothing and does not look at itself."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw
        self._fuel = 10

    def _pick(self, *options: Any) -> Any:
        return self._draw(st.sampled_from(options))

    def _access(self) -> str:
        return f"{self._pick('s', 's', 't')}.{self._pick('x', 'x', 'y')}"

    def _right(self) -> str:
        access = self._access()
        return str(self._pick("1", "n", "'s'", access, f"{access} + 1", f"see({access})"))

    def _simple(self) -> list[str]:
        forms = (
            *(f"{self._access()} {self._pick('+', '-', *OPERATORS)}= {self._right()}",) * 3,
            *(f"{self._access()} = {self._right()}",) * 2,
            f"see({self._access()}, {self._access()})",
            f"del {self._access()}",
            self._pick("s = t", "t = s", "s, t = t, s", "del s", "s.__dict__.clear()"),
        )
        return [self._pick(*forms)]

    def body(self) -> list[str]:
        """The statements of a block, indented."""
        lines: list[str] = []
        for _ in range(self._pick(1, 2, 3)):
            self._fuel -= 1
            lines += self._simple() if self._fuel <= 0 or self._pick(True, True, False) else self._compound()
        return ["    " + line for line in lines]

    def _compound(self) -> list[str]:
        jump = self._pick([], [], ["    break"], ["    continue"])
        nested: tuple[Callable[[], list[str]], ...] = (
            *(lambda: [f"for i in {self._pick('(1, 2)', '()', '(n, n, n)')}:", *self.body(), *jump],) * 2,
            lambda: [f"if {self._access()}:", *self.body(), "else:", *self.body()],
            lambda: ["try:", *self.body(), "except TypeError as e:", "    failed(e)", *self.body()],
            lambda: ["try:", *self.body(), "finally:", *self.body()],
            lambda: [f"with {self._pick('s', 't')}:", *self.body()],
        )
        lines: list[str] = self._pick(*nested)()
        return lines
