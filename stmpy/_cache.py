"""Compiled modules on disk: beside Python's own caches, under names that are never theirs.

An entry is valid for the bytes of the source it was made from, not for a time stamp: two edits within a
second and check-outs of a build server are told apart. Everything else it depends on is part of its file's
name: the Python, its optimisation level, the compiler and the options. All failures to read or to write mean
"no entry".
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from io import FileIO
from types import CodeType

from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy._diagnostics import Fields

_FORMAT = b"stmpy\x01\r\n" + importlib.util.MAGIC_NUMBER
_HASH_SIZE = 8
_HEADER_SIZE = len(_FORMAT) + 2 * _HASH_SIZE

_build_tag: str | None = None


class Entry:
    """One module's result: its code and what was said about it. No code: Python's own is right."""

    __slots__ = ("code", "diagnostics", "functions")

    def __init__(self, code: CodeType | None, diagnostics: tuple[Fields, ...], functions: int) -> None:
        self.code = code
        self.diagnostics = diagnostics
        self.functions = functions


def path(source_path: str, *, compile_all: bool, optimize: int = -1) -> str | None:
    """Where the entry of a source file is kept; None if this Python keeps no caches."""
    level = sys.flags.optimize if optimize < 0 else optimize
    tag = f"stmpy{_compiler_build()}{'all' if compile_all else ''}O{level}"
    try:
        return importlib.util.cache_from_source(source_path, optimization=tag)
    except NotImplementedError:
        return None


def load(entry_path: str, source: bytes, filename: str) -> Entry | None:
    """The entry for exactly these bytes, if there is a sound one."""
    try:
        with FileIO(entry_path) as file:
            data = file.readall()
    except OSError:
        return None
    payload = memoryview(data)[_HEADER_SIZE:]
    if data[:_HEADER_SIZE] != _header(source, payload):
        return None
    try:
        code, diagnostics, functions = marshal.loads(payload)
    except (EOFError, TypeError, ValueError):
        return None
    if code is not None and code.co_filename != filename:
        code = _in_file(code, filename)
    return Entry(code, diagnostics, functions)


def store(entry_path: str, source: bytes, entry: Entry, mode: int) -> bool:
    """Puts the entry in place in one step: a reader, or another builder, never sees half of it.

    `mode` is the source's: the entry is readable for nobody who cannot read that.
    """
    payload = marshal.dumps((entry.code, entry.diagnostics, entry.functions))
    temporary = f"{entry_path}.{os.urandom(6).hex()}"
    try:
        os.makedirs(os.path.dirname(entry_path), exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o666 | 0o200)
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(_header(source, payload))
            file.write(payload)
        os.replace(temporary, entry_path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        return False
    return True


def _in_file(code: CodeType, filename: str) -> CodeType:
    """The code of a module whose file was moved together with its entry."""
    constants = (_in_file(c, filename) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))


def _header(source: bytes, payload: bytes | memoryview) -> bytes:
    # The payload's own hash: `marshal` may crash the interpreter on bytes that were damaged.
    return _FORMAT + importlib.util.source_hash(source) + importlib.util.source_hash(payload)


def _compiler_build() -> str:
    """Tells builds of the compiler apart without loading it: a cache that is full needs no compiler."""
    global _build_tag
    if _build_tag is None:
        identity = __version__
        spec = importlib.util.find_spec("stmpy._compiler")
        if spec is not None and spec.origin is not None:
            status = os.stat(spec.origin)
            identity += f" {status.st_size} {int(status.st_mtime)}"
        _build_tag = importlib.util.source_hash(identity.encode()).hex()[:10]
    return _build_tag
