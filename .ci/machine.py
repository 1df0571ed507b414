"""What a machine must have before anything can be built: Debian packages and CPython interpreters."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
ARCHIVES = ROOT.parent / "shared" / "python"

# Command that shows a package is not needed ("" where only dpkg can tell) → Debian package.
NEEDED = [
    ("g++", "g++"),
    ("cmake", "cmake"),
    ("ninja", "ninja-build"),
    ("antlr4", "antlr4"),
    ("", "libantlr4-runtime-dev"),
    ("", "libgtest-dev"),
]
# Compiles the parser once for all interpreters instead of once for each; checks the model of the protocol.
# Nothing fails without them: the model's tests say that they are skipped.
HELPFUL = [("ccache", "ccache"), ("spin", "spin")]


PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print(output: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(output)
    sys.stdout.buffer.flush()


_shower: ContextVar[Callable[[bytes], None]] = ContextVar("_shower", default=_print)


def show(output: bytes) -> None:
    """Prints output of a tool, or hands it to who prints what this thread has to say."""
    _shower.get()(output)


@contextmanager
def shown_by(shower: Callable[[bytes], None]) -> Iterator[None]:
    """Within the block, this thread's output goes to `shower`."""
    token = _shower.set(shower)
    try:
        yield
    finally:
        _shower.reset(token)


def say(text: str) -> None:
    """Prints one line that stands out between the output of the tools."""
    show((f"\n── {text} " + "─" * max(3, 96 - len(text)) + "\n").encode())


def fail(text: str) -> NoReturn:
    """Ends the program with an error that nobody overlooks."""
    bar = "!" * 100
    sys.exit(f"\n{bar}\n{text}\n{bar}")


# Debian packages


def install_packages() -> None:
    """Installs what is missing through apt-get, or says what to install and ends."""
    needed = [package for command, package in NEEDED if not _present(command, package)]
    needed += _python_packages()
    helpful = [package for command, package in HELPFUL if not _present(command, package)]
    prefix = _apt_prefix()
    if not needed and (not helpful or prefix != []):  # nobody types a password for what only helps
        return
    if prefix is None:
        fail(
            "This machine lacks: " + " ".join(needed) + "\n"
            "They could not be installed here (it takes Debian's apt-get, as root or with sudo). Remedy:\n"
            "    sudo apt-get install " + " ".join(needed + helpful)
        )
    say("Debian packages: " + " ".join(needed + helpful))
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    subprocess.run([*apt, "update", "-q"])  # an old list may still do
    install = [*apt, "install", "-q", "-y", "--no-install-recommends"]
    if needed and subprocess.run([*install, *needed]).returncode:
        fail("apt-get could not install: " + " ".join(needed))
    if helpful:
        subprocess.run([*install, *helpful])


def _present(command: str, package: str) -> bool:
    if command:
        return shutil.which(command) is not None
    if shutil.which("dpkg-query") is None:
        return True  # not a Debian: CMake says what it does not find
    status = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
    return status.stdout.endswith(" installed")


def _python_packages() -> list[str]:
    """What Debian splits from its own python3: the headers, and what venv needs."""
    if Path(sys.executable).resolve().parent != Path("/usr/bin"):
        return []
    import sysconfig
    from importlib.util import find_spec

    packages = [] if find_spec("ensurepip") else ["python3-venv"]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        packages.append("python3-dev")
    return packages


def _apt_prefix() -> list[str] | None:
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    return ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]


# Interpreters


@dataclass(frozen=True)
class Interpreter:
    """A CPython on this machine. `tag` is its version as people say it: 3.11, 3.14, 3.14t."""

    tag: str
    executable: Path

    @property
    def free_threaded(self) -> bool:
        return self.tag.endswith("t")


def default_interpreter() -> Interpreter:
    """The interpreter that runs this program: the machine's python3, or what `make PYTHON=…` said."""
    return _ask(sys.executable) or fail(f"{sys.executable} does not run")


def other_interpreters() -> dict[str, Interpreter]:
    """All others at hand, by tag: archives beside the checkout first, then PATH, then pyenv's."""
    found: dict[str, Interpreter] = {}
    for archive in sorted(ARCHIVES.glob("cpython-*.tar.xz")):
        match = re.fullmatch(r"cpython-(3\.\d+)[.\d]*(?:rc\d+)?(t?)-linux-x86_64\.tar\.xz", archive.name)
        if match and sys.platform == "linux" and os.uname().machine == "x86_64":
            tag = match[1] + match[2]
            found[tag] = Interpreter(tag, _unpack(archive) / f"cpython-{tag}" / "bin" / f"python{tag}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in range(11, 20):
        for suffix in "", "t":
            name = f"python3.{minor}{suffix}"
            for candidate in [shutil.which(name), *sorted(pyenv.glob(f"*/bin/{name}"))]:
                interpreter = _ask(candidate) if candidate else None
                if interpreter:
                    found.setdefault(interpreter.tag, interpreter)
    return found


def tests_of(interpreter: Interpreter) -> Path | None:
    """The folder with the `test` package of an interpreter whose build comes without it, if there is one."""
    version = interpreter.tag.removesuffix("t")
    for archive in sorted(ARCHIVES.glob(f"cpython-{version}.*-tests.tar.xz")):
        if interpreter.executable.is_relative_to(CACHE):
            return _unpack(archive)
    return None


def _ask(executable: str | Path) -> Interpreter | None:
    """What an executable says it is; None for what only looks like one (a shim for an absent version)."""
    question = (
        "import sys, sysconfig; v = sys.version_info; t = sysconfig.get_config_var('Py_GIL_DISABLED');"
        "print(f'{v[0]}.{v[1]}' + 't' * bool(t)); print(sys.executable)"
    )
    answer = subprocess.run([executable, "-c", question], capture_output=True, text=True)
    if answer.returncode:
        return None
    tag, path = answer.stdout.splitlines()
    return Interpreter(tag, Path(path))


def _unpack(archive: Path) -> Path:
    """Unpacks an archive once, and whole or not at all; returns the folder that holds the interpreter's."""
    folder = CACHE / "python" / archive.name.removesuffix(".tar.xz")
    if not folder.exists():
        say(f"unpacking {archive.name}")
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            with tarfile.open(archive) as tar:
                tar.extraction_filter = getattr(tarfile, "tar_filter", None)
                tar.extractall(unfinished)
        except tarfile.ReadError:  # a Python without lzma
            subprocess.run(["tar", "xJf", archive, "-C", unfinished], check=True)
        unfinished.rename(folder)
    return folder
