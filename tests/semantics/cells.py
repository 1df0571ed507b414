"""What most tests hold in their hands: an object with a value, and an exception that takes it back."""

from __future__ import annotations

from typing import Any

from stmpy import STMObject


class Cell(STMObject):
    def __init__(self, value: Any = 0) -> None:
        self.value = value
        self.other = 0


class Reverted(Exception):
    """Raised by a test in a transaction, to have it reverted."""
