"""Modules that the loaders of others load, compiled all the same.

Those loaders keep all that they do: each gets the compiler's text where it would have worked on the user's,
and what it makes of that is put back at the user's places. So it is for

- the loaders that rewrite what they load in `source_to_code`, as typeguard's and beartype's do,
- archives that are imported from,
- pytest's, which rewrites assertions.

Their caches are neither read nor written for such a module: what is in them was not compiled, and what is
compiled must not get into them. It is compiled at each import.
"""

from __future__ import annotations

import os
from importlib.abc import SourceLoader
from importlib.machinery import SourceFileLoader
from zipimport import zipimporter

from stmpy._loading import as_importlibs_frame, compiled_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import CodeType
    from typing import Any

    from stmpy._loading import Rule


def compile_through(spec: ModuleSpec, rule: Rule) -> bool:
    """Has the loader of a module that others found work on compiled text, if it can and there is need."""
    loader: Any = spec.loader
    origin = spec.origin
    if isinstance(loader, type) or origin is None or not origin.endswith(".py"):
        return False
    take_over = _way_of(loader)
    if take_over is None:
        return False
    try:
        if rule.may_compile(loader.get_data(origin)):
            spec.loader = take_over(loader, spec.name, origin, rule)
    except OSError:
        return False
    return True


def _way_of(loader: object) -> Callable[[Any, str, str, Rule], Any] | None:
    if isinstance(loader, zipimporter):
        return ZipLoader
    if isinstance(loader, (SourceLoader, SourceFileLoader)):
        return _give_compiled_text
    if type(loader).__module__ == "_pytest.assertion.rewrite":
        try:
            from stmpy._pytest_loader import CompilingRewritingHook
        except ImportError:
            return None  # a pytest that does this half in another way
        return CompilingRewritingHook
    return None


def _give_compiled_text(loader: Any, fullname: str, origin: str, rule: Rule) -> Any:
    """Puts the compiler in front of the loader's own `source_to_code`."""
    theirs: Callable[..., CodeType] = loader.source_to_code

    @as_importlibs_frame
    def source_to_code(data: Any, path: Any, *arguments: Any, **options: Any) -> CodeType:
        def make(text: str) -> CodeType:
            same_kind = text if isinstance(data, str) else text.encode(_encoding(data))
            return theirs(same_kind, path, *arguments, **options)

        code = compiled_by(make, data, fullname, origin, rule) if isinstance(data, (str, bytes)) else None
        return theirs(data, path, *arguments, **options) if code is None else code

    def path_stats(path: str) -> dict[str, Any]:
        raise OSError  # has importlib leave cached bytecode alone

    loader.source_to_code = source_to_code
    loader.path_stats = path_stats
    return loader


def _encoding(source: bytes) -> str:
    from io import BytesIO
    from tokenize import detect_encoding

    return detect_encoding(BytesIO(source).readline)[0]


class ZipLoader(zipimporter):
    """Loads a source file of an archive."""

    def __init__(self, theirs: zipimporter, fullname: str, path: str, rule: Rule) -> None:
        super().__init__(os.path.join(theirs.archive, theirs.prefix))
        self.path = path
        self.rule = rule

    @as_importlibs_frame
    def get_code(self, fullname: str) -> CodeType:
        def make(text: str) -> CodeType:
            return compile(text, self.path, "exec", dont_inherit=True)

        code = compiled_by(make, self.get_data(self.path), fullname, self.path, self.rule)
        return super().get_code(fullname) if code is None else code
