"""What the import hook adds to imports: the same modules imported plainly and through it, again and again.

A warm import finds what an earlier one left under ``__pycache__``, a cold one finds nothing. Each round times
every way once, in this process, as for all other benchmarks.
"""

import bisect
import gc
import importlib
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import stmpy.hook

_EXAMPLES = Path(__file__).parent.parent / "examples"

# Of each kind a small module and one of a few hundred lines.
USING_STMPY = _EXAMPLES / "bank.py", _EXAMPLES / "flights.py"
NOT_USING_STMPY = Path(bisect.__file__), Path(tempfile.__file__)

PLAIN, HOOK = "plain", "through the hook"


@contextmanager
def importable(module: Path) -> Iterator[str]:
    """The name under which a copy of a module can be imported."""
    writes_bytecode = not sys.dont_write_bytecode
    with tempfile.TemporaryDirectory() as directory:
        name = f"imported_{module.stem}"
        shutil.copy(module, Path(directory, f"{name}.py"))
        sys.path.insert(0, directory)
        sys.dont_write_bytecode = False
        stmpy.hook.handle.uninstall()
        time.sleep(2.1)  # what the file system says about a source is trusted when it is so old
        try:
            yield name
        finally:
            sys.path.remove(directory)
            sys.dont_write_bytecode = not writes_bytecode


def clocks(name: str, *, cold: bool) -> dict[str, Callable[[int], float]]:
    """The clocks of both ways to import the module of that name."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.cached is not None
    cache = Path(spec.cached).parent

    def plain(turns: int) -> float:
        taken = 0.0
        for _ in range(turns):
            if cold:
                shutil.rmtree(cache, ignore_errors=True)
            begin = time.process_time()
            importlib.import_module(name)
            taken += time.process_time() - begin
            del sys.modules[name]
            gc.collect(0)
        return taken

    def hook(turns: int) -> float:
        with stmpy.hook.install():
            return plain(turns)

    return {PLAIN: plain, HOOK: hook}
