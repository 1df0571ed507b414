"""What compiled modules import: the runtime's barriers, and a check that both were made for each other.

Compiled code starts with ``from stmpy._barriers import abi_N, …`` where N is the version of the barriers
(their names, parameters and meaning) that its compiler knew.
"""

import builtins

from stmpy._hidden import hidden_name
from stmpy._runtime import (
    block_aborted,
    block_attempts,
    block_begin,
    block_saved,
    caught,
    checkpoint,
    iadd,
    iand,
    ifloordiv,
    ilshift,
    imatmul,
    imod,
    imul,
    ior,
    ipow,
    irshift,
    isub,
    itruediv,
    ixor,
    leaving,
    load_update,
    load_write,
    open_read,
    open_update,
    open_write,
    unbound,
)
from stmpy._runtime import current_transaction as transaction
from stmpy._version import __version__

ABI = 2
abi_2 = ABI

__all__ = [
    "ABI",
    "abi_2",
    "block_aborted",
    "block_attempts",
    "block_begin",
    "block_saved",
    "caught",
    "checkpoint",
    "iadd",
    "iand",
    "ifloordiv",
    "ilshift",
    "imatmul",
    "imod",
    "imul",
    "ior",
    "ipow",
    "irshift",
    "isub",
    "itruediv",
    "ixor",
    "leaving",
    "load_update",
    "load_write",
    "open_read",
    "open_update",
    "open_write",
    "transaction",
    "unbound",
]


# Where compiled code finds them.
vars(builtins).update({hidden_name(name, ABI): globals()[name] for name in __all__})


def __getattr__(name: str) -> int:
    if name.startswith("abi_"):
        raise ImportError(
            f"this module was compiled for version {name.removeprefix('abi_')} of stmpy's barriers, and "
            f"the installed stmpy {__version__} has version {ABI}: compile it again with this stmpy's stmpyc",
            name=__name__,
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
