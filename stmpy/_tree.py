"""``stmpyc -o DIR``: a tree of modules that a plain ``import`` runs, with no hook, source or compiler.

Compiled modules are written where their sources would be, as the sourceless ``.pyc`` files Python knows; all
other files are copied.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import stat
from contextlib import contextmanager
from types import CodeType
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Emacs marks a file that is being edited by a link to nowhere of this name.
_EDITORS_LOCK = ".#"

_CHECKED_BY_NOBODY = (0b01).to_bytes(4, "little")


class Place(NamedTuple):
    """A file to look at, and where it goes in a tree (relative to the tree's root)."""

    source: str
    target: str

    @property
    def is_module(self) -> bool:
        return self.source.endswith(".py")


def places(
    path: str, leave_out: str | None = None, on_error: Callable[[OSError], object] | None = None
) -> Iterator[Place]:
    """The files at and under a path, with the packages they are in, but not those under `leave_out`.

    `on_error` is called for a directory that cannot be read.
    """
    path = os.path.abspath(path)
    if not os.path.isdir(path):
        yield Place(path, os.path.join(*_packages_around(path), os.path.basename(path)))
        return
    root = os.path.join("", *_packages_around(path))
    if os.path.exists(os.path.join(path, "__init__.py")):
        root = os.path.join(root, os.path.basename(path))
    for directory, subdirectories, files in os.walk(path, onerror=on_error):
        subdirectories[:] = sorted(
            name
            for name in subdirectories
            if name != "__pycache__"
            and not name.startswith(".")
            and os.path.join(directory, name) != leave_out
        )
        inner = os.path.relpath(directory, path)
        for name in sorted(files):
            place = Place(os.path.join(directory, name), os.path.normpath(os.path.join(root, inner, name)))
            if not _is_special(place.source) and not name.startswith(_EDITORS_LOCK):
                yield place


def write(place: Place, tree: str, source: bytes | None, code: CodeType | None) -> str:
    """Writes a module's code, or copies a file for which there is none. Returns what was written.

    In one step: other builders of the same tree, and programs that run from it, never see half a file.
    """
    target = os.path.join(tree, place.target)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if code is None or source is None:
        with replacing(target) as temporary:
            shutil.copy(place.source, temporary)
        _remove(target + "c")
        return target
    # Deterministic, and valid whatever becomes of the source.
    header = importlib.util.MAGIC_NUMBER + _CHECKED_BY_NOBODY + importlib.util.source_hash(source)
    with replacing(target + "c") as temporary, open(temporary, "xb") as file:
        file.write(header + marshal.dumps(code))
    # Of an earlier run, when the module had nothing in it to compile: Python would prefer it.
    _remove(target)
    return target + "c"


@contextmanager
def replacing(target: str) -> Iterator[str]:
    """A name to write under, which becomes `target` when all is written."""
    temporary = f"{target}.{os.urandom(6).hex()}"
    try:
        yield temporary
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise


def _is_special(path: str) -> bool:
    """Whether reading it could wait for ever: a pipe, a socket, a device."""
    try:
        kind = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


def _packages_around(path: str) -> list[str]:
    """The names of the packages that contain a file or directory, outermost first."""
    names: list[str] = []
    directory = os.path.dirname(path)
    while os.path.exists(os.path.join(directory, "__init__.py")):
        names.insert(0, os.path.basename(directory))
        directory = os.path.dirname(directory)
    return names


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
