"""`stmpyc` with many files: several processes, several builders, and a line that says how far it is."""

import os
import pty
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from projects import BANK, SHOW_TIER, stmpyc

BUILDERS = 16


@pytest.fixture
def shop(project):
    """A tree of a few packages, all of whose modules are to be compiled, and one that is not."""
    for package in ("shop", "shop/deep", "shop/deep/deeper"):
        project.write(f"src/{package}/__init__.py", "")
        for number in range(4):
            project.write(f"src/{package}/bank{number}.py", BANK + f"NUMBER = {number}\n")
    project.write("src/shop/plain.py", "VALUE = 1\n")
    return project


def start(project, *arguments):
    """Runs stmpyc at the same time as what comes next, in a group of processes of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "stmpy.stmpyc", *arguments],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(builders):
    """Waits for all of them; what each printed and its exit status."""
    return {(builder.communicate(timeout=300)[0], builder.returncode) for builder in builders}


def test_many_builders_fill_one_cache(shop):
    assert finish([start(shop, "-j1", "src") for _ in range(BUILDERS)]) == {(b"", 0)}
    entries = shop.entries()
    assert len(entries) == 12 and all(entry.suffix == ".pyc" for entry in entries)
    run = shop.script(
        "import sys; sys.path.insert(0, 'src')\nimport stmpy.hook, shop.deep.deeper.bank3 as bank\n"
        "assert 'stmpy._compiler' not in sys.modules\nprint(bank.NUMBER)\n" + SHOW_TIER.format("bank")
    )
    assert (run.out, run.err) == ("3\ncompiled\n", "")


def test_many_builders_write_one_tree(shop):
    assert finish([start(shop, "-j1", "-o", "tree", "src") for _ in range(BUILDERS)]) == {(b"", 0)}
    written = sorted(str(path.relative_to(shop.root / "tree")) for path in shop.root.glob("tree/**/*.*"))
    stmpyc(shop, "-o", "alone", "src")
    alone = sorted(str(path.relative_to(shop.root / "alone")) for path in shop.root.glob("alone/**/*.*"))
    assert written == alone
    for name in written:
        assert (shop.root / "tree" / name).read_bytes() == (shop.root / "alone" / name).read_bytes()


@pytest.mark.parametrize("arguments", [["--emit=source"], ["--check", "--format=json"], ["--emit=report"]])
def test_the_number_of_processes_changes_nothing(shop, arguments):
    shop.write("src/shop/loud.py", "import stmpy\n@stmpy.atomic\ndef f(o): print(o.x)\n")
    outputs = {stmpyc(shop, *arguments, *jobs, "src", status=None).out for jobs in ([], ["-j1"], ["-j3"])}
    assert len(outputs) == 1 and outputs != {""}


def test_a_negative_number_of_processes_is_a_usage_error(bank):
    assert stmpyc(bank, "-j", "-1", "bank.py", status=2).err.startswith("usage: stmpyc")


def on_terminal(project, *arguments, **environment):
    """What stmpyc writes to a terminal that shows its errors, and what to its output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "stmpy.stmpyc", *arguments],
        cwd=project.root,
        env=project.environment | {"TERM": "xterm"} | environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # Linux's way to say that nobody writes any more
        pass
    os.close(ours)
    out = process.communicate(timeout=120)[0]
    return shown.decode(), out.decode()


def test_directories_show_progress_on_a_terminal_and_clear_it(shop):
    shown, out = on_terminal(shop, "--check", "-j1", "src")
    assert "checked 1 of 16" in shown and "checked 16 of 16" in shown
    assert shown.endswith("\r\x1b[K") and "checked 16 of" not in out


@pytest.mark.parametrize("arguments", [["src/shop/bank1.py"], ["--emit=source", "src/shop/bank1.py"]])
def test_single_files_show_no_progress(shop, arguments):
    assert on_terminal(shop, *arguments)[0] == ""


def test_there_is_no_progress_where_there_is_no_terminal(shop):
    assert stmpyc(shop, "src").err == ""
    assert on_terminal(shop, "src", TERM="dumb")[0] == ""


def test_a_reader_that_has_seen_enough_is_no_error(shop):
    command = f"'{sys.executable}' -m stmpy.stmpyc --emit=source -j1 src | head -n 1"
    process = subprocess.run(
        ["sh", "-c", command], cwd=shop.root, env=shop.environment, capture_output=True, timeout=120
    )
    assert process.stderr == b""


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_an_interrupt_ends_all_processes_without_a_word(project, jobs):
    names = ["one", "two"]
    for name in names:
        os.mkfifo(project.root / name)
    builder = start(project, "--check", jobs, *names)
    # The other end of a pipe opens when somebody reads from it.
    with ThreadPoolExecutor() as pool:
        reading = [pool.submit(open, project.root / name, "wb") for name in names[: int(jobs[2:])]]
        try:
            writers = [opened.result(timeout=60) for opened in reading]
        except TimeoutError:
            for name in names:  # for the threads: nobody else will read
                os.close(os.open(project.root / name, os.O_RDONLY | os.O_NONBLOCK))
            raise
    os.killpg(builder.pid, signal.SIGINT)
    for writer in writers:
        writer.close()
    assert finish([builder]) == {(b"", 130)}


def test_a_process_that_was_killed_is_an_error(shop):
    program = (
        "import sys\nfrom concurrent.futures.process import BrokenProcessPool\n"
        "from stmpy import _jobs, stmpyc\n"
        "def run(*arguments):\n    raise BrokenProcessPool\n_jobs.run = run\n"
        "sys.exit(stmpyc.main(['-j2', 'src']))\n"
    )
    assert "one of its processes was killed" in shop.script(program, status=1).err
