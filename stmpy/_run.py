"""``python -m stmpy run``: programs run as by Python itself, with their own atomic functions compiled.

The program gets a `__main__` of its own, and no frame of ours is in the traceback of what it does not catch.
Processes that multiprocessing spawns import the program as `__mp_main__`, compiled as well.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import pkgutil
import sys
from importlib.machinery import ModuleSpec, SourcelessFileLoader
from types import ModuleType

from stmpy import hook
from stmpy._loader import CompilingLoader
from stmpy._loading import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType
    from typing import Any


def run_script(script: str, arguments: list[str], *, compile_all: bool, cache: bool) -> None:
    """Runs a file, or a directory or zip archive with a ``__main__.py`` in it."""
    hook.install(compile_all=compile_all, cache=cache)
    sys.argv[:] = [script, *arguments]
    path = os.path.abspath(script)
    if pkgutil.get_importer(path) is not None:
        sys.path[: 0 if sys.flags.safe_path else 1] = [path]
        _run_spec(_main_spec(path), script)
        return
    if not os.path.isfile(path):
        sys.exit(f"{sys.executable} -m stmpy run: cannot open file {path!r}")
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    name = _MainName("__main__", script=path, compile_all=compile_all, cache=cache)
    _run(_script_loader(path, compile_all, cache), path, ModuleSpec(name, None, origin=path), None)


def run_module(name: str, arguments: list[str], *, compile_all: bool, cache: bool) -> None:
    """Runs a module, or the ``__main__`` of a package, found on `sys.path`."""
    hook.install(compile_all=compile_all, cache=cache)
    sys.argv[:] = ["-m", *arguments]
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    if spec is None:
        sys.exit(f"{sys.executable} -m stmpy run: No module named {name}, or nothing in it that can be run")
    spec.name = _MainName(spec.name, script=None, compile_all=compile_all, cache=cache)
    sys.argv[0] = spec.origin or name
    _run_spec(spec, name)


class _MainName(str):
    """The name in `__main__`'s spec, by which a spawned process finds the program and compiles it too.

    multiprocessing sends it to the new process, which runs the module of that name as its `__mp_main__`.
    """

    options: dict[str, Any]

    def __new__(cls, name: str, **options: Any) -> _MainName:
        self = super().__new__(cls, name)
        self.options = options
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _name_in_spawned_process, (str(self), self.options)


_spawned_script: dict[str, Any] = {}


def _name_in_spawned_process(name: str, options: dict[str, Any]) -> str:
    hook.install(compile_all=options["compile_all"], cache=options["cache"])
    if options["script"] is None:
        return name
    _spawned_script.update(options)
    return "stmpy._spawned"


def run_spawned_script(namespace: dict[str, Any]) -> None:
    """Turns the namespace of `stmpy._spawned` into the script's, as multiprocessing would have made it."""
    path = _spawned_script["script"]
    loader = _script_loader(path, _spawned_script["compile_all"], _spawned_script["cache"])
    name = namespace["__name__"]
    pythons = namespace.copy()
    namespace.clear()
    _set_main_names(namespace, pythons, path, loader, None, None)
    namespace["__name__"] = name
    exec(_code(loader, "__main__"), namespace)


class _ScriptLoader(CompilingLoader):
    """Loads a script. Python keeps no cache of those."""

    def pythons_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def _script_loader(path: str, compile_all: bool, cache: bool) -> _ScriptLoader | SourcelessFileLoader:
    if path.endswith(".pyc"):
        return SourcelessFileLoader("__main__", path)
    whether_or_not_it_mentions_stmpy = ("__main__",) if compile_all else None
    rule = Rule(whether_or_not_it_mentions_stmpy, compile_all=compile_all, cache=cache)
    return _ScriptLoader("__main__", path, rule)


def _main_spec(path: str) -> ModuleSpec | None:
    # `find_spec` would answer with what runs as `__main__` now, which is us.
    ours = sys.modules.pop("__main__")
    try:
        spec = importlib.util.find_spec("__main__")
    finally:
        sys.modules["__main__"] = ours
    return spec if spec is not None and (spec.origin or "").startswith(path) else None


def _run_spec(spec: ModuleSpec | None, target: str) -> None:
    if spec is None:
        sys.exit(f"{sys.executable} -m stmpy run: can't find '__main__' module in {target!r}")
    _run(spec.loader, spec.origin, spec, spec.parent)


def _run(loader: Any, path: str | None, spec: ModuleSpec, package: str | None) -> None:
    module = ModuleType("__main__")
    _set_main_names(module.__dict__, vars(sys.modules["__main__"]), path, loader, spec, package)
    sys.modules["__main__"] = module
    try:
        code = _code(loader, str(spec.name))
    except SyntaxError as error:
        _show_as_pythons_own(error, None)
        raise
    try:
        exec(code, module.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        assert error.__traceback__ is not None
        _show_as_pythons_own(error, error.__traceback__.tb_next)
        raise


def _set_main_names(
    namespace: dict[str, Any],
    pythons: dict[str, Any],
    path: str | None,
    loader: object,
    spec: ModuleSpec | None,
    package: str | None,
) -> None:
    """Gives a namespace the names that a `__main__` of Python's has: not the same ones in every version."""
    namespace.update(__name__="__main__", __builtins__=builtins, __doc__=None)
    namespace.update(__file__=path, __loader__=loader, __spec__=spec)
    if "__annotations__" in pythons:
        namespace["__annotations__"] = {}
    if "__cached__" in pythons:
        namespace["__cached__"] = None if spec is None else spec.cached
    if "__package__" in pythons:
        namespace["__package__"] = package


def _code(loader: Any, name: str) -> CodeType:
    code: CodeType | None = loader.get_code(name)
    if code is None:
        sys.exit(f"{sys.executable} -m stmpy run: no code object available for {name}")
    return code


def _show_as_pythons_own(error: BaseException, traceback: TracebackType | None) -> None:
    """Has the interpreter display the error, when it ends with it, without the frames that are ours."""
    display = sys.excepthook

    def excepthook(kind: type[BaseException], value: BaseException, whole: TracebackType | None) -> None:
        if value is error:
            whole = value.__traceback__ = traceback
        display(kind, value, whole)

    sys.excepthook = excepthook
