"""A plugin of pytest: ``-p stmpy.pytest`` compiles the atomic functions of tests and of what they import.

The test modules' own functions too: pytest rewrites the assertions of a module after it was compiled.
``import stmpy.hook`` in a ``conftest.py`` does the same for what is imported after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stmpy._installation import install
from stmpy._version import __version__

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Comes in front of pytest's own import hook, for as long as pytest runs."""
    config.add_cleanup(install().uninstall)


def pytest_report_header() -> str:
    """What stands at the top of pytest's output."""
    return f"stmpy-{__version__}: atomic functions are compiled"
