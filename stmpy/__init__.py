"""Software transactional memory for ordinary Python objects.

Names only: what they mean stands where they are defined. Importing this package loads the runtime; the
compiler is loaded by the first module that needs it (`stmpy.hook`, `stmpy.compiler`).
"""

try:
    from stmpy._runtime import (
        AbortTransaction,
        InvariantViolated,
        STMCounter,
        STMDict,
        STMList,
        STMObject,
        STMQueue,
        STMSet,
        TooManyAttempts,
        Transaction,
        TransactionError,
        TransactionLocal,
        TransactionTimeout,
        TransactionUsageError,
        atomic,
        atomically,
        check,
        compiled,
        current_transaction,
        in_transaction,
        invariant,
        on_abort,
        on_commit,
        or_else,
        reset_stats,
        retry,
        unrecorded,
    )
except ModuleNotFoundError as error:
    if error.name != "stmpy._runtime":
        raise
    raise ImportError(
        f"stmpy is imported from {__path__[0]}, where its runtime was never built: install it with "
        "'pip install .', and run Python from outside of the sources, or with -P"
    ) from None
from stmpy._version import __version__
from stmpy._warnings import CompilerWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stmpy._stalls import Stall, StallWatch, watch_stalls
    from stmpy._views import MISSING, AccessMap, Statistics, access_map, revert_log, stats

__all__ = [
    "MISSING",
    "AbortTransaction",
    "AccessMap",
    "CompilerWarning",
    "InvariantViolated",
    "STMCounter",
    "STMDict",
    "STMList",
    "STMObject",
    "STMQueue",
    "STMSet",
    "Stall",
    "StallWatch",
    "Statistics",
    "TooManyAttempts",
    "Transaction",
    "TransactionError",
    "TransactionLocal",
    "TransactionTimeout",
    "TransactionUsageError",
    "__version__",
    "access_map",
    "atomic",
    "atomically",
    "check",
    "compiled",
    "current_transaction",
    "in_transaction",
    "invariant",
    "on_abort",
    "on_commit",
    "or_else",
    "reset_stats",
    "retry",
    "revert_log",
    "stats",
    "unrecorded",
    "watch_stalls",
]


def __getattr__(name: str) -> object:
    # What looks at transactions from outside is loaded when it is first asked for: it needs more of the
    # standard library than all the rest. So is the extension of IPython.
    if name in ("load_ipython_extension", "unload_ipython_extension"):
        from stmpy import _ipython as home
    elif name in ("Stall", "StallWatch", "watch_stalls"):
        from stmpy import _stalls as home  # type: ignore[no-redef]
    elif name in __all__:
        from stmpy import _views as home  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
