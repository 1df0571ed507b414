"""Compiles modules while they are imported.

The finder asks the finders behind it and, where they found an ordinary source file, puts a loader of its own
in place of theirs. That loader differs in `get_code` alone: the module's execution is importlib's, so no
frame of ours is ever in a user's traceback. Loaders of others go on loading what they load, from compiled
text if they can (`_other_loaders`); the rest runs on the dynamic tier.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader, NamespaceLoader, SourceFileLoader, SourcelessFileLoader
from importlib.util import cache_from_source

from stmpy import _cache, _messages, _pythons_cache
from stmpy._loading import as_importlibs_frame, entry_of
from stmpy._runtime import mentions_stmpy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    from stmpy._loading import Rule

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_WITHOUT_SOURCES = (type, ExtensionFileLoader, SourcelessFileLoader, NamespaceLoader)
_INSTALLED = tuple(_STANDARD_LIBRARY + name for name in ("site-packages", "dist-packages"))


class Finder:
    """The entry of `sys.meta_path`. The rule that was added last is asked first."""

    def __init__(self) -> None:
        # The last one first. Replaced, never changed: other threads may be in the middle of an import.
        self.rules: tuple[Rule, ...] = ()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = self._spec_of_others(fullname, path, target)
        if spec is None:
            return None
        rule = self.rule_for(fullname)
        if rule is None:
            return spec
        loader = spec.loader
        if type(loader) is SourceFileLoader:
            if rule.packages is not None or not _is_pythons_own(loader.path):
                spec.loader = CompilingLoader(fullname, loader.path, rule)
        elif loader is not None and type(loader) not in _WITHOUT_SOURCES:
            _take_over(spec, rule)
        return spec

    def rule_for(self, fullname: str) -> Rule | None:
        for rule in self.rules:
            if rule.covers(fullname):
                return rule
        return None

    def _spec_of_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        finders = sys.meta_path
        behind = finders.index(self) + 1 if self in finders else 0
        for finder in finders[behind:]:
            try:
                find_spec = finder.find_spec
            except AttributeError:
                continue
            spec = find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None


class CompilingLoader(SourceFileLoader):
    """Loads a source file with its atomic functions compiled."""

    def __init__(self, fullname: str, path: str, rule: Rule) -> None:
        super().__init__(fullname, path)
        self.rule = rule

    @as_importlibs_frame
    def get_code(self, fullname: str) -> CodeType | None:
        try:
            code = self._cached_code(fullname)
            return self._new_code(fullname) if code is None else code
        except (EOFError, ImportError, SyntaxError) as error:
            # What Python says about a source or a cached module has no frames of ours.
            raise error.with_traceback(None)  # noqa: B904  (it is the same error)

    def pythons_code(self, fullname: str) -> CodeType | None:
        """The module as Python compiles it, from its own cache where that is up to date."""
        return super().get_code(fullname)

    def entry_path(self) -> str | None:
        """Where this module's entry of the cache is, if it is to have one."""
        return _cache.path(self.path, compile_all=self.rule.compile_all) if self.rule.cache else None

    def _cached_code(self, fullname: str) -> CodeType | None:
        """The module from our cache, or if it does not mention stmpy from Python's: most imports end here."""
        rule = self.rule
        try:
            pythons_path = cache_from_source(self.path)
        except NotImplementedError:
            return None
        if rule.cache:
            entry_path = _cache.beside(pythons_path, rule.compile_all)
            if os.access(entry_path, os.R_OK):
                entry = _cache.load(entry_path, self.path)
                if entry is None:
                    return None
                code = entry.code if entry.code is not None else self.pythons_code(fullname)
                _messages.tell(fullname, self.path, entry, cached=True)
                return code
        return _pythons_cache.unmentioning_code(self.path, pythons_path) if rule.packages is None else None

    def _new_code(self, fullname: str) -> CodeType | None:
        try:
            status = os.stat(self.path)
            source = self.get_data(self.path)
        except OSError:
            return self.pythons_code(fullname)
        entry_path = self.entry_path()
        if not self.rule.may_compile(source):
            if entry_path is not None:
                _cache.discard(entry_path)
            return self.pythons_code(fullname)
        entry = _entry_for(source, self.path, self.rule)
        if entry is None:
            return self.pythons_code(fullname)
        # A SyntaxError is raised here, before anything is said about the module or kept.
        code = entry.code if entry.code is not None else self.pythons_code(fullname)
        if entry_path is not None and not sys.dont_write_bytecode:
            _cache.store(entry_path, source, entry, status)
        _messages.tell(fullname, self.path, entry, cached=False)
        return code


def _entry_for(source: bytes, path: str, rule: Rule) -> _cache.Entry | None:
    # Nothing, and a warning, where the compiler itself cannot be loaded.
    try:
        from stmpy.compiler import compile_source
    except ImportError as error:
        _messages.warn_no_compiler(error)
        return None
    return entry_of(compile_source(source, path, compile_all=rule.compile_all))


def _take_over(spec: ModuleSpec, rule: Rule) -> None:
    from stmpy._other_loaders import compile_through

    if not compile_through(spec, rule):
        if _messages.TRACING and (rule.packages is not None or source_mentions_stmpy(spec)):
            _messages.trace(spec.name, f"not compiled: {why_left_alone(spec)}")


def source_mentions_stmpy(spec: ModuleSpec) -> bool:
    """Whether a module that is not ours to load has a source that mentions stmpy."""
    try:
        get_source = getattr(spec.loader, "get_source", None)
        if get_source is not None:
            return "stmpy" in (get_source(spec.name) or "")
        if spec.origin is not None and spec.has_location:
            with open(spec.origin, "rb") as file:
                return mentions_stmpy(file.read())
    except (ImportError, OSError, SyntaxError):
        pass
    return False


def why_left_alone(spec: ModuleSpec) -> str:
    """Why a module found by others is loaded by others."""
    if spec.loader is None or spec.origin is None:
        return "it has no source file"
    loader = spec.loader if isinstance(spec.loader, type) else type(spec.loader)
    return f"it is loaded by {loader.__module__}.{loader.__qualname__}, which is left alone"


def _is_pythons_own(path: str) -> bool:
    # Nothing there can mention stmpy, but for what is installed in site-packages below it.
    return path.startswith(_STANDARD_LIBRARY) and not path.startswith(_INSTALLED)
