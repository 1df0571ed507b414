"""Everything at once, for as long as it is told to: `python tests/soak/soak.py --seconds=3600 --threads=8`.

Threads run what people write, all mixed and on both tiers: transfers, nested calls, exceptions, collections,
callbacks, invariants, accesses outside, signal handlers that raise, collections of garbage, forks, threads
that come and go (`parts.py`). A line of figures every ten seconds; ends with status 1 where an invariant does
not hold.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from pathlib import Path
from typing import Any

from stmpy import stats
from stmpy.compiler import compile_source

STEPS_OF_A_THREAD = 2_000
CHILD_PATIENCE = 60


class Interrupted(BaseException):
    """What a signal handler raises, as KeyboardInterrupt is."""


def load_parts() -> list[types.ModuleType]:
    """`parts` on each of the two tiers."""
    path = Path(__file__).with_name("parts.py")
    loaded = []
    for is_compiled in (False, True):
        module = types.ModuleType(f"parts_{is_compiled}")
        source = path.read_bytes()
        code = compile_source(source, str(path)).code() if is_compiled else compile(source, str(path), "exec")
        exec(code, module.__dict__)
        module.COMPILED = is_compiled  # type: ignore[attr-defined]
        loaded.append(module)
    return loaded


class Soak:
    def __init__(self, seconds: float, threads: int, seed: int) -> None:
        self.tiers = load_parts()
        self.world: Any = self.tiers[0].World()  # type: ignore[attr-defined]
        self.end = time.monotonic() + seconds
        self.threads = threads
        self.seeds = random.Random(seed)
        self.counted = self.put = self.steps = self.interrupts = self.forks = self.started = 0
        self.mutex = threading.Lock()
        self.failed = False
        self.armed = False

    def run(self) -> bool:
        """Whether everything held."""
        signal.signal(signal.SIGALRM, self.interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        running: list[threading.Thread] = []
        main = self.new_worker()
        begun = reported = time.monotonic()
        try:
            while time.monotonic() < self.end and not self.failed:
                running = [thread for thread in running if thread.is_alive()]
                while len(running) < self.threads - 1:
                    running.append(self.start())
                self.take_part(main)
                if self.seeds.random() < 0.02:
                    self.fork()
                if time.monotonic() >= reported + 10:
                    reported = time.monotonic()
                    self.report(reported - begun)
        finally:
            self.end = 0
            signal.setitimer(signal.ITIMER_REAL, 0)
            for thread in running:
                thread.join()
        self.report(time.monotonic() - begun)
        if not self.failed:
            self.world.check_at_the_end(self.counted, self.put)
            for account in self.world.accounts:
                account.payload = None
            gc.collect()
            alive = sum(type(thing).__name__ == "Payload" for thing in gc.get_objects())
            assert alive == 0, f"{alive} objects were never let go"
        return not self.failed

    def new_worker(self) -> Any:
        """On the one tier or on the other."""
        return self.seeds.choice(self.tiers).Worker(self.world, self.seeds.randrange(2**32))

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.work, args=[self.new_worker()])
        self.started += 1
        thread.start()
        return thread

    def work(self, worker: Any) -> None:
        try:
            while worker.steps < STEPS_OF_A_THREAD and time.monotonic() < self.end:
                worker.step()
            assert worker.own.balance <= worker.steps
        except BaseException:
            traceback.print_exc()
            self.failed = True
        finally:
            with self.mutex:
                self.counted += worker.counted
                self.put += worker.put
                self.steps += worker.steps

    def interrupt(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise Interrupted

    def take_part(self, worker: Any) -> None:
        """A moment of the main thread's, in whose midst a signal handler raises."""
        try:
            self.armed = True
            for _ in range(50):
                worker.transfer()
                worker.nested()
                self.world.check()
            self.armed = False
        except Interrupted:
            self.interrupts += 1
        self.world.check()

    def fork(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
            child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(CHILD_PATIENCE)
                self.world.check()
                self.new_worker().transfer()
                self.world.check()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        self.forks += 1
        if status:
            print(f"a child ended with status {status:#x}", flush=True)
            self.failed = True

    def report(self, seconds: float) -> None:
        now = stats()
        print(
            f"{seconds:7.0f} s  {now.committed:12,} committed  {now.aborted_by_conflict:11,} aborted  "
            f"{now.waits:10,} waits  {self.started:6,} threads  {self.forks:5,} forks  "
            f"{self.interrupts:5,} interrupts  {resident_megabytes():6.1f} MB, "
            f"{megabytes_in_use():.1f} in use, {sys.getallocatedblocks():,} blocks",
            flush=True,
        )


def resident_megabytes() -> float:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


class MallocInfo(ctypes.Structure):
    """struct mallinfo2 of glibc's."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split())
    )


def megabytes_in_use() -> float:
    """Of what malloc has asked the system for; 0 where there is no telling."""
    try:
        mallinfo = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    mallinfo.restype = MallocInfo
    info = mallinfo()
    return float(info.uordblks + info.hblkhd) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"--seed={options.seed}, {options.threads} threads, Python {sys.version}", flush=True)
    sys.setswitchinterval(1e-4)
    held = Soak(options.seconds, options.threads, options.seed).run()
    print("every invariant held" if held else "FAILED", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
