"""What all loaders of ours stand on: which modules are compiled and how, and what comes of compiling one."""

from __future__ import annotations

from stmpy import _cache, _messages
from stmpy._runtime import mentions_stmpy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeVar

    from stmpy.compiler import Compilation

    _F = TypeVar("_F", bound=Any)


class Rule:
    """Which modules one installation of the hook compiles, and how."""

    __slots__ = ("cache", "compile_all", "packages")

    def __init__(
        self,
        packages: tuple[str, ...] | None = None,
        *,
        compile_all: bool = False,
        cache: bool = True,
    ) -> None:
        self.packages = packages
        self.compile_all = compile_all
        self.cache = cache

    def covers(self, fullname: str) -> bool:
        """Whether a module is this rule's; without `packages`, all are that may mention stmpy."""
        if fullname == "stmpy" or fullname.startswith("stmpy."):
            return False
        if self.packages is None:
            return True
        return any(fullname == package or fullname.startswith(f"{package}.") for package in self.packages)

    def may_compile(self, source: bytes) -> bool:
        """Whether a source is one to look into: one that mentions stmpy, or that was asked for by name."""
        return self.packages is not None or mentions_stmpy(source)


def as_importlibs_frame(function: _F) -> _F:
    """Has Python leave the function's frame out of the traceback of a failed import, as importlib's are."""
    function.__code__ = function.__code__.replace(
        co_filename="<frozen importlib._bootstrap_external>", co_name="_call_with_frames_removed"
    )
    return function


def entry_of(compilation: Compilation, *, optimize: int = -1) -> _cache.Entry:
    """What the cache keeps of a compilation."""
    return entry_with(compilation.code(optimize=optimize) if compilation.changed else None, compilation)


def entry_with(code: CodeType | None, compilation: Compilation) -> _cache.Entry:
    """The same, with the code that was made of it."""
    diagnostics = tuple((*diagnostic,) for diagnostic in compilation.diagnostics)
    return _cache.Entry(code, diagnostics, len(compilation.report))


def compiled_by(
    make: Callable[[str], CodeType], source: str | bytes, fullname: str, path: str, rule: Rule
) -> CodeType | None:
    """What `make` makes of the compiled text, in terms of the source; None where it is to do as ever."""
    try:
        from stmpy.compiler import translate

        compilation = translate(source, path, compile_all=rule.compile_all)
        code = compilation.code_by(make) if compilation.changed else None
    except ImportError as error:
        _messages.warn_no_compiler(error)
        return None
    except Exception as error:
        # What is wrong with the module itself is said when it is loaded as ever.
        _messages.trace(fullname, f"not compiled: its loader fails on the compiled text with {error!r}")
        return None
    _messages.tell(fullname, path, entry_with(code, compilation), cached=False)
    return code
