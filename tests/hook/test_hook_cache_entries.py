"""What makes an entry of the hook's cache valid, what bounds their number, and what damage does."""

import os
import random
import time

import pytest

from stmpy import _cache
from stmpy._cache import Entry

SECONDS = 1_000_000_000


class Cached:
    """A module's source, and its entry."""

    def __init__(self, directory):
        self.source = directory / "bank.py"
        self.path = _cache.path(str(self.source), compile_all=False)

    def build(self, text):
        """Writes the source, and an entry that knows the text by heart."""
        self.source.write_text(text)
        code = compile(f"text = {text!r}", str(self.source), "exec")
        status = os.stat(self.source)
        assert _cache.store(self.path, text.encode(), Entry(code, (), 1), status)

    def text(self):
        """What the entry knows; None if there is no valid one."""
        entry = _cache.load(self.path, str(self.source))
        if entry is None:
            return None
        namespace = {}
        exec(entry.code, namespace)
        return namespace["text"]


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    return Cached(tmp_path)


@pytest.fixture
def later(monkeypatch):
    """The clock says that all files were changed long ago."""
    monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 3600 * SECONDS)


@pytest.fixture
def coarse_clock(monkeypatch):
    """A file system where every change of a file leaves the same times."""
    monkeypatch.setattr(_cache, "_stamp", lambda status: b"the same".ljust(32, b"."))


@pytest.fixture
def reads(monkeypatch):
    """The files that are read."""
    names = []

    def open_code(path):
        names.append(os.path.basename(path))
        return open(path, "rb")

    monkeypatch.setattr(_cache, "open_code", open_code)
    return names


def test_a_source_that_settled_is_not_read_again(cached, later, reads):
    cached.build("one")
    assert cached.text() == "one"
    assert reads == [os.path.basename(cached.path)]


def test_a_source_changed_a_moment_ago_is_read(cached, reads):
    cached.build("one")
    assert cached.text() == "one"
    assert "bank.py" in reads


def test_an_entry_is_stamped_once_its_source_settled(cached, reads, monkeypatch):
    cached.build("one")
    monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 3600 * SECONDS)
    assert cached.text() == "one" and "bank.py" in reads
    reads.clear()
    assert cached.text() == "one" and "bank.py" not in reads


def test_an_edit_within_the_same_tick_of_the_clock_is_noticed(cached, coarse_clock):
    cached.build("one")
    cached.source.write_text("two")
    assert cached.text() is None


def test_times_that_were_put_back_deceive_nobody(cached, later):
    cached.build("one")
    before = cached.source.stat()
    cached.source.write_text("two")
    os.utime(cached.source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cached.text() is None


def test_another_file_in_the_same_place_is_noticed(cached, later, tmp_path):
    cached.build("one")
    (tmp_path / "other").write_text("two")
    os.replace(tmp_path / "other", cached.source)
    assert cached.text() is None


def test_a_new_stamp_is_not_written_where_python_writes_no_bytecode(cached, later, monkeypatch):
    cached.build("one")
    os.utime(cached.source)
    before = os.stat(cached.path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert cached.text() == "one"
    assert os.stat(cached.path).st_ino == before.st_ino


def test_damage_of_any_byte_is_noticed_or_harmless(cached, later):
    cached.build("one")
    with open(cached.path, "rb") as file:
        sound = file.read()
    chance = random.Random(1)
    places = {chance.randrange(len(sound)) for _ in range(400)} | set(range(80))
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << chance.randrange(8)
        with open(cached.path, "wb") as file:
            file.write(damaged)
        assert cached.text() == (None if place not in range(20, 60) else "one")


def test_lost_and_added_bytes_are_noticed(cached, later):
    cached.build("one")
    with open(cached.path, "rb") as file:
        sound = file.read()
    for damaged in (*(sound[:length] for length in range(0, len(sound), 7)), sound + b"\0", sound + sound):
        with open(cached.path, "wb") as file:
            file.write(damaged)
        assert cached.text() is None


def other_build(path, number):
    """The name that another build of the compiler gives to the same entry."""
    mark = path.index(_cache._MARK) + len(_cache._MARK)
    return path[:mark] + f"{number:010x}" + path[mark + 10 :]


def test_entries_of_other_compilers_are_kept_up_to_a_bound(cached):
    cached.build("one")
    for number in range(10):
        name = other_build(cached.path, number)
        with open(name, "wb"):
            os.utime(name, (number, number))
    cached.build("two")
    kept = sorted(os.listdir(os.path.dirname(cached.path)))
    newest = [os.path.basename(other_build(cached.path, number)) for number in (7, 8, 9)]
    assert kept == sorted([os.path.basename(cached.path), *newest])


def test_only_entries_of_the_same_module_and_options_are_bounded(cached):
    directory = os.path.dirname(cached.path)
    os.makedirs(directory)
    others = [
        _cache.path(str(cached.source), compile_all=True),
        _cache.path(str(cached.source), compile_all=False, optimize=2),
        _cache.path(str(cached.source.with_name("bank2.py")), compile_all=False),
        os.path.join(directory, "bank.cpython-311.pyc"),
        os.path.join(directory, "bank.cpython-311-pytest-9.pyc"),
    ]
    for number in range(6):
        for path in others[:3]:
            with open(other_build(path, number), "wb"):
                pass
    for path in others:
        with open(path, "wb"):
            pass
    before = set(os.listdir(directory))
    cached.build("one")
    assert set(os.listdir(directory)) == before | {os.path.basename(cached.path)}


def test_what_a_killed_builder_left_is_removed_after_a_while(cached):
    cached.build("one")
    old, new = (f"{cached.path}.{name}" for name in ("0123456789ab", "ba9876543210"))
    for path in (old, new):
        with open(path, "wb"):
            pass
    os.utime(old, (1, 1))
    cached.build("two")
    assert not os.path.exists(old) and os.path.exists(new)
