"""Programs in a directory of their own, run by the interpreter that runs the tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import stmpy

BANK = """\
import stmpy
from stmpy import atomic


class Account(stmpy.STMObject):
    def __init__(self, balance):
        self.balance = balance


@atomic
def transfer(src, dst, amount):
    if src.balance < amount:
        raise ValueError("insufficient funds")
    src.balance = src.balance - amount
    dst.balance = dst.balance + amount


def total(*accounts):
    return sum(account.balance for account in accounts)
"""

# Whether a module was compiled: then functions of it use barriers, under names that only `builtins` has.
SHOW_TIER = """
def tier(module):
    from inspect import unwrap
    codes = [getattr(unwrap(value), "__code__", None) for value in vars(module).values() if callable(value)]
    return "compiled" if any("__stmpy." in str(code.co_names) for code in codes if code) else "dynamic"
print(tier({0}))
"""

# The same, as an expression in the module's own text.
COMPILED = "('stmpy._barriers' in __import__('sys')._getframe().f_code.co_names)"

_NOT_INHERITED = ("PYTHON", "STMPY_")


class Project:
    """A directory with modules, and a way to run programs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
        }
        self.environment["PYTHONPATH"] = os.path.dirname(os.path.dirname(stmpy.__file__))

    def write(self, name: str, source: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, str):
            source = source.encode()
        path.write_bytes(source)
        return path

    def python(
        self,
        *arguments: object,
        status: int | None = 0,
        input: str | None = None,
        before: Sequence[str] = (),
        **environment: str,
    ) -> "Run":
        """Runs Python. `status` is the exit status to be expected, None for any; `before` goes in front."""
        process = subprocess.run(
            [*before, sys.executable, *map(str, arguments)],
            input=input,
            cwd=self.root,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if status is not None and process.returncode != status:
            pytest.fail(f"exit status {process.returncode}\n{process.stdout}{process.stderr}")
        return Run(process)

    def script(self, source: str, *arguments: object, status: int | None = 0, **environment: str) -> "Run":
        """Runs a program without the `run` command: only what it imports can be compiled."""
        self.write("program.py", source)
        return self.python("program.py", *arguments, status=status, **environment)

    def tier_of(self, module: str, before: str = "", **environment: str) -> str:
        """The tier a module runs on when it is imported under the hook."""
        program = f"import stmpy.hook\n{before}\nimport {module}\n" + SHOW_TIER.format(module)
        return self.script(program, **environment).out.strip()

    def entries(self, module: str = "*") -> list[Path]:
        """The files of the hook's cache, wherever they are under the project."""
        return sorted(self.root.rglob(f"{module}.*stmpy*"))


class Run:
    """What a program printed and how it ended."""

    def __init__(self, process: "subprocess.CompletedProcess[str]") -> None:
        self.out = process.stdout
        self.err = process.stderr
        self.status = process.returncode


def stmpyc(project: Project, *arguments: object, status: int | None = 0, **environment: str) -> Run:
    """Runs `stmpyc` in a project."""
    return project.python("-m", "stmpy.stmpyc", *arguments, status=status, **environment)
