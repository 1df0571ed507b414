"""What `import stmpy` costs and promises."""

from pathlib import Path

import pytest


def test_the_import_loads_only_what_it_needs(project):
    program = "import sys; before = set(sys.modules); import stmpy; print(*sorted(set(sys.modules) - before))"
    loaded = project.python("-c", program).out.split()
    assert "stmpy._runtime" in loaded
    assert not {"stmpy._compiler", "stmpy._views", "dataclasses", "dis", "inspect"} & set(loaded)


def test_sources_that_were_never_built_say_what_to_do(project, tmp_path):
    import stmpy

    (tmp_path / "sources" / "stmpy").mkdir(parents=True)
    (tmp_path / "sources" / "stmpy" / "__init__.py").write_text(Path(stmpy.__file__).read_text())
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'sources')!r}); import stmpy"
    assert (
        "runtime was never built: install it with 'pip install .'"
        in project.python("-c", program, status=1).err
    )


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
