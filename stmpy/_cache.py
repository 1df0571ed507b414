"""Compiled modules on disk: beside Python's own caches, under names that are never theirs.

An entry is valid for the bytes of the source it was made from. What the file system says about the source is
kept with it, so that most imports need not read the source: a file of the same inode, size and times that was
not changed a moment ago is the same file. Whatever else is the case, as after two edits within a second or a
check-out on a build server, the bytes decide.

Everything else an entry depends on is part of its file's name: the Python, its optimisation level, the
compiler and the options. All failures to read or to write mean "no entry".
"""

from __future__ import annotations

import marshal
import os
import sys
import time
from importlib.util import MAGIC_NUMBER, cache_from_source, find_spec, source_hash
from io import open_code
from types import CodeType

from stmpy._runtime import checksum
from stmpy._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy._diagnostics import Fields

# An entry's bytes: the format, the payload's checksum, a hash of the source, the source's stamp, the payload.
# There is a checksum since `marshal` may crash the interpreter on bytes that were damaged.
_FORMAT = b"stmpy\x02\r\n" + MAGIC_NUMBER
_CHECKSUM = slice(len(_FORMAT), len(_FORMAT) + 8)
_SOURCE_HASH = slice(_CHECKSUM.stop, _CHECKSUM.stop + 8)
_STAMP = slice(_SOURCE_HASH.stop, _SOURCE_HASH.stop + 32)

_MASK = (1 << 64) - 1
# A file's clock may be coarse: an edit a moment after another can leave the same times.
_A_MOMENT = 2_000_000_000
_NO_STAMP = bytes(32)

_MARK = ".opt-stmpy"
_BUILD_DIGITS = 10
# Environments with other compilers may share a tree: so many of them keep their entry of a module.
_KEPT_BUILDS = 4
_ABANDONED_AFTER = 3600

# For each set of options, how many characters of a name of Python's to replace by what.
_names: dict[tuple[bool, int], tuple[int, str]] = {}


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
    try:
        return beside(cache_from_source(source_path, optimization=level or ""), compile_all, level)
    except NotImplementedError:
        return None


def beside(pythons_path: str, compile_all: bool, optimize: int = sys.flags.optimize) -> str:
    """Where the entry is kept of a module whose own cache Python keeps there, for that optimisation level."""
    key = compile_all, optimize
    if key not in _names:
        replaced = len(f".opt-{optimize}.pyc" if optimize else ".pyc")
        _names[key] = replaced, f"{_MARK}{_compiler_build()}{'all' if compile_all else ''}O{optimize}.pyc"
    replaced, name = _names[key]
    return pythons_path[:-replaced] + name


def load(entry_path: str, source_path: str) -> Entry | None:
    """The entry for a source file as it is now, if there is a sound one."""
    try:
        with open_code(entry_path) as file:
            data = file.read()
        status = os.stat(source_path)
    except OSError:
        return None
    if not data.startswith(_FORMAT):
        return None
    stamp = _stamp(status)
    stamped = data[_STAMP] == stamp
    if not stamped and not _is_of_these_bytes(data, source_path):
        return None
    payload = memoryview(data)[_STAMP.stop :]
    if checksum(payload).to_bytes(8, "little") != data[_CHECKSUM]:
        return None
    try:
        code, diagnostics, functions = marshal.loads(payload)
    except (EOFError, TypeError, ValueError):
        return None
    if not stamped and _has_settled(status) and not sys.dont_write_bytecode:
        _write(entry_path, data[: _STAMP.start] + stamp + payload, status.st_mode)
    if code is not None and code.co_filename != source_path:
        code = _in_file(code, source_path)
    return Entry(code, diagnostics, functions)


def store(entry_path: str, source: bytes, entry: Entry, status: os.stat_result) -> bool:
    """Puts an entry in place. `status` is the source file's, from before it was read.

    Returns whether that could be done. The entry is readable for nobody who cannot read the source.
    """
    payload = marshal.dumps((entry.code, entry.diagnostics, entry.functions))
    stamp = _stamp(status) if _has_settled(status) else _NO_STAMP
    header = _FORMAT + checksum(payload).to_bytes(8, "little") + source_hash(source) + stamp
    try:
        os.makedirs(os.path.dirname(entry_path), exist_ok=True)
    except OSError:
        return False
    done = _write(entry_path, header + payload, status.st_mode)
    if done:
        _remove_old_entries(entry_path)
    return done


def discard(entry_path: str) -> None:
    """Removes the entry of a module that has nothing to do with stmpy any more."""
    if not sys.dont_write_bytecode:
        try:
            os.unlink(entry_path)
        except OSError:
            pass


def _is_of_these_bytes(data: bytes, source_path: str) -> bool:
    try:
        with open_code(source_path) as file:
            return source_hash(file.read()) == data[_SOURCE_HASH]
    except OSError:
        return False


def _stamp(status: os.stat_result) -> bytes:
    """What tells that a file was changed; nobody can set the time of a status change back."""
    return (
        (status.st_mtime_ns & _MASK).to_bytes(8, "little")
        + (status.st_ctime_ns & _MASK).to_bytes(8, "little")
        + status.st_size.to_bytes(8, "little")
        + (status.st_ino & _MASK).to_bytes(8, "little")
    )


def _has_settled(status: os.stat_result) -> bool:
    return status.st_ctime_ns < time.time_ns() - _A_MOMENT


def _write(entry_path: str, data: bytes, mode: int) -> bool:
    """Writes a file in one step: a reader, or another builder, never sees half of it."""
    temporary = f"{entry_path}.{os.urandom(6).hex()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o666 | 0o200)
    except OSError:
        return False
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, entry_path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        return False
    return True


def _remove_old_entries(entry_path: str) -> None:
    """Bounds what is kept for a module, and removes what builders that were killed have left."""
    directory, name = os.path.split(entry_path)
    build = name.rindex(_MARK) + len(_MARK)
    options = name[build + _BUILD_DIGITS :]
    entries: list[tuple[float, str]] = []
    try:
        with os.scandir(directory) as files:
            for file in files:
                rest = file.name[build + _BUILD_DIGITS :]
                if not file.name.startswith(name[:build]) or not rest.startswith(options):
                    continue
                changed = file.stat().st_mtime
                if rest == options:
                    entries.append((changed, file.path))
                elif changed < time.time() - _ABANDONED_AFTER:
                    os.unlink(file.path)
        for _, old in sorted(entries, reverse=True)[_KEPT_BUILDS:]:
            os.unlink(old)
    except OSError:
        pass  # another builder was faster


def _in_file(code: CodeType, filename: str) -> CodeType:
    """The code of a module whose file was moved together with its entry."""
    constants = (_in_file(c, filename) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=filename, co_consts=tuple(constants))


def _compiler_build() -> str:
    """Tells builds of the compiler apart without loading it: a cache that is full needs no compiler."""
    identity = __version__
    spec = find_spec("stmpy._compiler")
    if spec is not None and spec.origin is not None:
        status = os.stat(spec.origin)
        identity += f" {status.st_size} {int(status.st_mtime)}"
    return source_hash(identity.encode()).hex()[:_BUILD_DIGITS]
