"""What is measured from outside, in processes of its own: memory of an object, time of an import."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

_MEMORY = """
import gc, sys
if sys.argv[1] == "stmpy":
    from stmpy import STMObject as Base
else:
    Base = object
    import stmpy
class Point(Base):
    def __init__(self):
        self.x, self.y, self.z = 1, 2, 3
Point()
keep = [None] * 200_000
gc.disable()
def pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])
before = pages()
for i in range(len(keep)):
    keep[i] = Point()
print((pages() - before) * 4096 / len(keep))
"""


def bytes_per_object(base: str) -> float:
    """Resident bytes of an object with three attributes, of "stmpy" or of "plain" kind."""
    return float(_python("-c", _MEMORY, base))


def import_milliseconds(rounds: int) -> float:
    """What `import stmpy` adds to the start of a bare interpreter."""
    _python("-I", "-c", "import stmpy")
    differences = []
    for _ in range(rounds):
        begin = time.perf_counter()
        _python("-I", "-c", "pass")
        between = time.perf_counter()
        _python("-I", "-c", "import stmpy")
        differences.append((time.perf_counter() - between) - (between - begin))
    return 1000 * statistics.median(differences)


def _python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent
    ).stdout
