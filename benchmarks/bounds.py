"""What the project has set itself to reach, as ratios: by now ("today"), and in the end ("contract")."""

import sys
import sysconfig
from typing import NamedTuple

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
# The interpreters that bounds are given for; any other one is judged as the nearest of them.
KIND = "3.14t" if FREE_THREADED else "3.14" if sys.version_info >= (3, 14) else "3.11"


class Bound(NamedTuple):
    contract: float | None
    today: float | None = None
    at_least: bool = False

    def judge(self, value: float) -> str:
        """Both limits with "ok" or "MISSED", to stand behind the value."""
        sign = "≥" if self.at_least else "≤"
        return "   ".join(
            f"{label} {sign} {limit:<4g} {'ok' if self._met(value, limit) else 'MISSED':6}"
            for label, limit in (("today", self.today), ("contract", self.contract))
            if limit is not None
        )

    def _met(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


# Time, one thread.
HOT_LOOP = Bound(1.1)
TRANSFER_COMPILED = {"3.11": Bound(0.6, 0.75), "3.14": Bound(1.1, 1.3), "3.14t": Bound(0.85, 1.1)}[KIND]
TRANSFER_DYNAMIC = {"3.11": Bound(0.75, 0.9), "3.14": Bound(1.3, 1.5), "3.14t": Bound(1.0, 1.3)}[KIND]
READ_MANY = Bound(2.0)
OUTSIDE = Bound(3.0)
PLAIN_OBJECTS = Bound(1.7)
NAIVE = Bound(10, at_least=True)

# Throughput, two threads, free-threaded.
DISJOINT = Bound(2.2, at_least=True)
SCALING = Bound(None, 1.8, at_least=True)
SCALING_AGAINST_PLAIN = Bound(0.95, at_least=True)
READ_MOSTLY = Bound(1.0, at_least=True)
CONTENDED_COUNTER = Bound(0.8, at_least=True)

# From outside.
MEMORY = Bound(2.5)
IMPORT_MILLISECONDS = Bound(15)
WARM_IMPORT = Bound(1.05, 1.15)
COLD_IMPORT = Bound(2.0)
UNRELATED_IMPORT = Bound(1.05)
# Megabytes a second.
LEXING = Bound(10, at_least=True)
PARSING = Bound(4, at_least=True)
