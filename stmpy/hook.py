"""The import hook: ``import stmpy.hook`` compiles the atomic functions of every module imported after it.

Modules that do not mention stmpy are loaded by Python as ever. Those that use it only through a module of
your own are named: ``stmpy.hook.install(["bank.accounts"])``.
"""

from stmpy._installation import Handle, install

__all__ = ["Handle", "handle", "install"]

#: What ``import stmpy.hook`` itself installed.
handle = install()
