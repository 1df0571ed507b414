"""Installations of the import hook: which there are, and how one begins and ends."""

from __future__ import annotations

import sys
import threading

from stmpy import _loader
from stmpy._loading import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

_finder = _loader.Finder()
_changing_rules = threading.Lock()


class Handle:
    """One installation of the hook. As a context manager it lasts for the block."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    def uninstall(self) -> None:
        """Ends this installation: modules already imported stay as they are. Does nothing the second time."""
        with _changing_rules:
            _finder.rules = tuple(rule for rule in _finder.rules if rule is not self._rule)
            if not _finder.rules and _finder in sys.meta_path:
                sys.meta_path.remove(_finder)

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.uninstall()


def install(
    packages: Iterable[str] | None = None, *, compile_all: bool = False, cache: bool = True
) -> Handle:
    """Compiles modules that are imported from now on, until the handle's `uninstall()`.

    `packages` names modules and packages (with all they contain), whether or not they mention stmpy; without
    it, every module that mentions stmpy is compiled. `compile_all` treats each function of those modules as
    `@stmpy.compiled`. `cache=False` neither reads nor writes compiled modules under ``__pycache__``.

    Installations stack: of those that cover a module, the last one decides. An installation comes before all
    import hooks that are there by then, and gives their loaders compiled text; a hook that is installed later
    may keep modules to itself.
    """
    if isinstance(packages, str):
        raise TypeError(f"packages must be names of modules, as in [{packages!r}], not one string")
    names = None if packages is None else tuple(packages)
    rule = Rule(names, compile_all=compile_all, cache=cache)
    with _changing_rules:
        _finder.rules = (rule, *_finder.rules)
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
        sys.meta_path.insert(0, _finder)
    return Handle(rule)
