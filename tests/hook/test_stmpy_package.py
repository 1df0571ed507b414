"""What `import stmpy` costs and promises."""

import pytest


def test_the_import_is_quick(project):
    # Of the processor's time: the machine may be busy with something else.
    clock = "time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)"
    program = f"import time; start = {clock}; import stmpy; print({clock} - start)"
    assert min(float(project.python("-c", program).out) for _ in range(7)) < 0.015


def test_every_public_name_exists():
    import stmpy

    for name in stmpy.__all__:
        getattr(stmpy, name)


def test_barriers_of_another_version_are_refused():
    with pytest.raises(ImportError, match=r"version 999.*compile it again.*stmpyc"):
        from stmpy._barriers import abi_999  # noqa: F401


def test_barriers_of_this_version_are_there():
    from stmpy import _barriers

    assert getattr(_barriers, f"abi_{_barriers.ABI}") == _barriers.ABI
    for name in _barriers.__all__:
        getattr(_barriers, name)


def test_other_names_that_barriers_do_not_have_are_ordinary_errors():
    from stmpy import _barriers

    with pytest.raises(AttributeError):
        getattr(_barriers, "nonsense")  # noqa: B009
