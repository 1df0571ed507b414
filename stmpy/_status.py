"""``python -m stmpy status``: what is compiled, what is not, and why."""

from __future__ import annotations

import importlib.util
import platform
import sys
from zipimport import zipimporter

from stmpy import _barriers, _cache, _messages, hook
from stmpy._loader import CompilingLoader, why_left_alone
from stmpy._loading import Rule, entry_of
from stmpy._other_loaders import ZipLoader
from stmpy._version import __version__


def describe_installation() -> None:
    """Prints the versions, the state of the GIL, and where compiled modules are kept."""
    gil = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    print(f"stmpy      {__version__}, barriers version {_barriers.ABI}")
    print(f"Python     {platform.python_version()} ({platform.python_implementation()}), GIL {gil}")
    print(f"compiler   {_compiler_state()}")
    print(f"cache      {_cache_state()}")


def describe_module(name: str) -> None:
    """Prints what the hook does with a module. Ends with status 1 if there is no such module."""
    hook.install()
    try:
        spec = importlib.util.find_spec(name)
    except ImportError as error:
        sys.exit(f"{name}: {error}")
    if spec is None:
        sys.exit(f"{name}: no such module")
    print(f"{name}: {spec.origin or 'no file'}")
    loader = spec.loader
    if isinstance(loader, (CompilingLoader, ZipLoader)):
        source = loader.get_data(loader.path)
        if loader.rule.may_compile(source):
            _describe_source(source, loader.path, loader.rule)
            _describe_entry(loader)
            return
    elif not (isinstance(loader, zipimporter) and spec.origin and spec.origin.endswith(".py")):
        print(f"  not compiled: {why_left_alone(spec)}")
        return
    print("  left to Python: it does not mention stmpy")


def _describe_source(source: bytes, path: str, rule: Rule) -> None:
    try:
        from stmpy.compiler import compile_source

        compilation = compile_source(source, path, compile_all=rule.compile_all)
        compilation.code()
    except SyntaxError as error:
        print(f"  not compiled: Python refuses it: {error}")
        return
    except ImportError as error:
        print(f"  not compiled: the compiler cannot be loaded: {error}")
        return
    print(f"  {_messages.summary(entry_of(compilation))}")
    for function in compilation.report:
        print(
            f"  line {function['line']}: {function['name']} ({function['reason']}), "
            f"{_messages.counted(len(function['accesses']), 'access')}"
        )
    for diagnostic in compilation.diagnostics:
        print(f"  line {diagnostic.line}: {diagnostic.severity}: {diagnostic}")


def _describe_entry(loader: CompilingLoader | ZipLoader) -> None:
    entry_path = loader.entry_path() if isinstance(loader, CompilingLoader) else None
    if entry_path is None:
        print("  cache: none: it is compiled at each import")
        return
    cached = _cache.load(entry_path, loader.path) is not None
    print(f"  cache: {'up to date' if cached else 'no entry yet'}: {entry_path}")


def _compiler_state() -> str:
    try:
        from stmpy import _compiler
    except ImportError as error:
        return f"cannot be loaded ({error}): everything runs uncompiled, unless it is in the cache"
    return f"{_compiler.version} ({_compiler.__file__})"


def _cache_state() -> str:
    example = _cache.path("NAME.py", compile_all=False)
    if example is None:
        return "none: this Python keeps no caches"
    return example + (" (read, not written: sys.dont_write_bytecode)" if sys.dont_write_bytecode else "")
