"""The compiler may be called by any thread at any time, before and after a fork."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from stmpy import _compiler

SOURCE = "".join(f"def f{i}(o):\n    o.y += [o.x{i} for o in f'{{o.y}}'] or o.z\n" for i in range(300))


def test_threads_get_the_same_result() -> None:
    expected = _compiler.compile(SOURCE, "test.py", compile_all=True).source
    results: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(5):
            results.append(_compiler.compile(SOURCE, "test.py", compile_all=True).source)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 40


def test_small_thread_stacks_do_not_matter() -> None:
    source = f"def f(o): o.y += {'[' * 190}o.x{']' * 190}\n"
    changed: list[bool] = []
    before = threading.stack_size(64 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: changed.append(_compiler.compile(source, "test.py", compile_all=True).changed)
        )
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert changed == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_forked_while_others_compile_can_compile() -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            _compiler.compile(SOURCE, "test.py", compile_all=True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0 if _compiler.compile(SOURCE, "test.py", compile_all=True).changed else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.skipif(not hasattr(sys, "_is_gil_enabled"), reason="always has the GIL")
def test_the_module_needs_no_gil() -> None:
    if sys._is_gil_enabled():  # type: ignore[attr-defined]
        pytest.skip("the GIL is on for another reason")
    assert _compiler.version
    assert not sys._is_gil_enabled()  # type: ignore[attr-defined]
