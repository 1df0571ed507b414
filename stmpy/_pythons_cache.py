"""Modules that do not mention stmpy, from Python's own cache: as Python loads them, at the same cost."""

from __future__ import annotations

import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER
from io import open_code

from stmpy._runtime import mentions_stmpy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_BY_TIME_AND_SIZE = MAGIC_NUMBER + bytes(4)
_HEADER_SIZE = 16


def unmentioning_code(source_path: str, cached_path: str) -> CodeType | None:
    """A module's code, if Python's cache has it up to date and without a mention of stmpy.

    None means only that Python's own loader is to be asked, as it is for all that is unusual.
    """
    if sys.flags.verbose:
        return None
    try:
        with open_code(cached_path) as file:
            data = file.read()
        status = os.stat(source_path)
    except OSError:
        return None
    time_and_size = (int(status.st_mtime) & 0xFFFFFFFF) | (status.st_size & 0xFFFFFFFF) << 32
    if not data.startswith(_BY_TIME_AND_SIZE + time_and_size.to_bytes(8, "little")) or mentions_stmpy(data):
        return None
    try:
        code = marshal.loads(memoryview(data)[_HEADER_SIZE:])
    except (EOFError, TypeError, ValueError):
        return None
    is_here = hasattr(code, "co_filename") and code.co_filename == source_path
    return code if is_here else None
