"""Compiled modules under `__pycache__`: valid for the source's bytes, never in anyone's way."""

import os
import subprocess
import sys

import pytest
from projects import BANK, SHOW_TIER

IMPORT = "import stmpy.hook, sys, bank\n"
WAS_COMPILED_NOW = IMPORT + "print('stmpy.compiler' in sys.modules)\n"


def test_a_second_import_loads_no_compiler(bank):
    assert bank.script(WAS_COMPILED_NOW).out == "True\n"
    again = bank.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    assert again.out == "False\ncompiled\n"


def test_entries_have_names_that_python_never_uses(bank):
    bank.script(IMPORT)
    [entry] = bank.entries()
    assert entry.parent.name == "__pycache__"
    bank.script("import bank")
    theirs = set(bank.root.glob("__pycache__/bank.*")) - {entry}
    assert len(theirs) == 1
    assert entry.name.startswith(f"bank.{sys.implementation.cache_tag}.") and entry.suffix == ".pyc"


def test_a_change_of_the_same_size_and_time_is_noticed(bank):
    path = bank.write("bank.py", BANK + "VALUE = 1\n")
    stamp = path.stat().st_mtime_ns
    show = IMPORT + "print(bank.VALUE)\n" + SHOW_TIER.format("bank")
    assert bank.script(show).out == "1\ncompiled\n"
    bank.write("bank.py", BANK + "VALUE = 2\n")
    os.utime(path, ns=(stamp, stamp))
    assert bank.script(show).out == "2\ncompiled\n"


def test_a_new_time_stamp_alone_costs_nothing(bank):
    bank.script(IMPORT)
    os.utime(bank.root / "bank.py", (1_000_000_000, 1_000_000_000))
    assert bank.script(WAS_COMPILED_NOW).out == "False\n"


def test_options_and_optimisation_levels_have_entries_of_their_own(bank):
    bank.script(IMPORT)
    bank.write("program.py", IMPORT)
    bank.python("-O", "program.py")
    everything = "import stmpy.hook\nstmpy.hook.install(['bank'], compile_all=True)\nimport bank\n"
    bank.script(everything)
    assert len(bank.entries()) == 3


def test_optimisation_levels_are_respected_in_cached_code(project):
    project.write("bank.py", BANK + "\n@atomic\ndef f(o):\n    assert o.balance\n    return 'no assertion'\n")
    project.write("program.py", IMPORT + "print(bank.f(bank.Account(0)))\n")
    project.python("program.py", status=1)
    for _ in range(2):
        assert project.python("-O", "program.py").out == "no assertion\n"


def test_pycache_prefix_is_honoured(bank, tmp_path_factory):
    prefix = tmp_path_factory.mktemp("prefix")
    bank.script(IMPORT, PYTHONPYCACHEPREFIX=str(prefix))
    assert not bank.entries()
    assert len(list(prefix.rglob("bank.*stmpy*"))) == 1
    assert bank.script(WAS_COMPILED_NOW, PYTHONPYCACHEPREFIX=str(prefix)).out == "False\n"


def test_python_that_writes_no_bytecode_writes_none_of_ours(bank):
    assert bank.script(WAS_COMPILED_NOW, PYTHONDONTWRITEBYTECODE="1").out == "True\n"
    assert not bank.entries()


def test_a_cache_that_cannot_be_made_is_no_error(bank):
    bank.write("__pycache__", "a file where the directory should be")
    run = bank.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("True\ncompiled\n", "")


def test_a_prefix_where_nobody_can_write_is_no_error(bank):
    # Not even root can make directories there.
    run = bank.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank"), PYTHONPYCACHEPREFIX="/proc/stmpy")
    assert (run.out, run.err) == ("True\ncompiled\n", "")


def test_a_full_disk_leaves_no_half_entry(bank):
    # /dev/full accepts an open, and refuses every write.
    program = """
import os, stmpy._cache
real = os.open
os.open = lambda path, flags, *mode: real("/dev/full" if "stmpy" in str(path) else path, flags & ~os.O_EXCL)
"""
    run = bank.script(program + IMPORT + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("compiled\n", "")
    assert not bank.entries()


DAMAGE = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "cut in the header": lambda data: data[:5],
    "a flipped bit": lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
    "another format": lambda data: b"\0" + data[1:],
    "not ours": lambda data: b"something else entirely",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_entries_are_replaced_quietly(bank, damage):
    bank.script(IMPORT)
    [entry] = bank.entries()
    sound = entry.read_bytes()
    entry.write_bytes(DAMAGE[damage](sound))
    run = bank.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("True\ncompiled\n", "")
    assert bank.script(WAS_COMPILED_NOW).out == "False\n"


def test_an_entry_that_is_a_directory_is_no_error(bank):
    bank.script(IMPORT)
    [entry] = bank.entries()
    entry.unlink()
    entry.mkdir()
    run = bank.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    assert (run.out, run.err) == ("True\ncompiled\n", "")


def test_16_builders_of_one_tree_leave_whole_entries_and_nothing_else(project):
    names = [f"shop.bank{number}" for number in range(12)]
    project.write("shop/__init__.py", "")
    for name in names:
        project.write(f"{name.replace('.', '/')}.py", BANK)
    shown = "".join(SHOW_TIER.format(f"sys.modules[{name!r}]") for name in names)
    program = f"import stmpy.hook, sys\ninput()\nimport {', '.join(names)}\n{shown}"
    project.write("program.py", program + "print('stmpy.compiler' in sys.modules)\n")
    compiled = "compiled\n" * len(names)
    processes = [
        subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=project.root,
            env=project.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(16)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert all(process.communicate()[0].startswith(compiled) for process in processes)
    assert len(project.entries()) == len(names)
    assert project.python("program.py", input="go\n").out == f"{compiled}False\n"


def test_a_tree_that_cannot_be_written_is_no_error(bank, unprivileged):
    bank.write("program.py", WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    bank.root.chmod(0o555)
    run = bank.python("program.py", before=unprivileged)
    assert (run.out, run.err) == ("True\ncompiled\n", "")
    assert not bank.entries()


def test_entries_of_a_tree_that_cannot_be_written_are_used(bank, unprivileged):
    bank.write("program.py", WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    bank.python("program.py")
    # Not what the entry was stamped with: a new stamp could not be written either.
    os.utime(bank.root / "bank.py", (1_000_000_000, 1_000_000_000))
    (bank.root / "__pycache__").chmod(0o555)
    run = bank.python("program.py", before=unprivileged)
    assert (run.out, run.err) == ("False\ncompiled\n", "")


def test_entries_that_cannot_be_read_are_no_error(bank, unprivileged):
    bank.write("program.py", WAS_COMPILED_NOW + SHOW_TIER.format("bank"))
    bank.python("program.py")
    [entry] = bank.entries()
    entry.chmod(0)
    (bank.root / "__pycache__").chmod(0o555)
    run = bank.python("program.py", before=unprivileged)
    assert (run.out, run.err) == ("True\ncompiled\n", "")


def test_the_entry_goes_when_the_module_has_nothing_to_do_with_stmpy_any_more(bank):
    bank.script(IMPORT)
    assert bank.entries("bank")
    bank.write("bank.py", "VALUE = 1\n")
    bank.script("import bank\n")
    bank.script(IMPORT)
    assert not bank.entries("bank")


@pytest.mark.parametrize("flags", [["-O"], ["-OO"]])
def test_docstrings_and_assertions_go_as_in_python(project, flags):
    project.write("bank.py", BANK + "\n@atomic\ndef f(o):\n    'doc'\n    assert o.balance\n")
    project.write("program.py", IMPORT + "print(bank.f.__doc__)\nbank.f(bank.Account(0))\n")
    for _ in range(2):
        assert project.python(*flags, "program.py").out == ("None\n" if flags == ["-OO"] else "doc\n")


def test_entries_are_as_private_as_the_source(bank):
    (bank.root / "bank.py").chmod(0o600)
    bank.script(IMPORT)
    [entry] = bank.entries()
    assert entry.stat().st_mode & 0o777 == 0o600


def test_a_tree_that_was_moved_keeps_its_entries_and_shows_its_new_place(project):
    project.write("old/bank.py", BANK)
    show = "print(inspect.unwrap(bank.transfer).__code__.co_filename)\n"
    program = "import sys, inspect; sys.path.insert(0, {!r})\n" + WAS_COMPILED_NOW + show
    project.script(program.format("old"))
    (project.root / "old").rename(project.root / "new")
    run = project.script(program.format("new"))
    assert run.out.splitlines() == ["False", str(project.root / "new" / "bank.py")]


def test_modules_with_nothing_to_compile_are_remembered_too(project):
    project.write("bank.py", "import stmpy\n")
    assert project.script(WAS_COMPILED_NOW).out == "True\n"
    assert project.script(WAS_COMPILED_NOW + SHOW_TIER.format("bank")).out == "False\ndynamic\n"


def test_the_cache_can_be_switched_off(bank):
    program = "import stmpy.hook\nstmpy.hook.install(cache=False)\n" + WAS_COMPILED_NOW
    for _ in range(2):
        assert bank.script(program).out == "True\n"
    assert not bank.entries()
