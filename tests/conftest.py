"""What all tests share."""

from __future__ import annotations

import gc
import sysconfig

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def pytest_report_header() -> str:
    import stmpy

    build = "free-threaded" if FREE_THREADED else "with the GIL"
    return f"stmpy {stmpy.__version__} from {stmpy.__path__[0]}, {build}"


def pytest_collection_finish() -> None:
    """What the run itself is made of is no garbage: the tests' collections need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def free_threaded() -> bool:
    return FREE_THREADED
