"""Everything at once, for as long as it is told to: `python tests/soak/soak.py --seconds=3600 --threads=8`.

Threads run what people write, all mixed: transfers, nested calls, exceptions, collections, callbacks,
accesses outside, signal handlers that raise, collections of garbage, forks, threads that come and go. A line
of figures every ten seconds; ends with status 1 where an invariant does not hold.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable

from stmpy import (
    STMCounter,
    STMList,
    STMObject,
    STMQueue,
    TransactionTimeout,
    atomic,
    atomically,
    in_transaction,
    on_abort,
    on_commit,
    or_else,
    retry,
    stats,
    unrecorded,
)

ACCOUNTS, EACH, TOKENS = 16, 100, 32
STEPS_OF_A_THREAD = 2_000
CHILD_PATIENCE = 60


class Account(STMObject):
    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.payload: object = None


class Oops(Exception):
    """Leaves a transaction, which takes it back."""


class Interrupted(BaseException):
    """What a signal handler raises, as KeyboardInterrupt is."""


class Payload:
    """In a cycle with itself, so that only the collector finds it."""

    def __init__(self) -> None:
        self.me = self


class World:
    """What the threads share, and what holds of it whenever no transaction is half done."""

    def __init__(self) -> None:
        self.accounts = [Account(EACH) for _ in range(ACCOUNTS)]
        self.counter = STMCounter()
        self.entries: STMList[int] = STMList()
        self.sum_of_entries = Account(0)
        self.boxes = [Account(0), Account(0)]
        self.tokens: STMQueue[int] = STMQueue()
        for token in range(TOKENS):
            self.tokens.put_nowait(token)

    @atomic
    def check(self) -> None:
        """As of one instant."""
        total = sum(account.balance for account in self.accounts)
        assert total == ACCOUNTS * EACH, total
        entries = list(self.entries)
        assert sum(entries) == self.sum_of_entries.balance, (entries, self.sum_of_entries.balance)

    def check_at_the_end(self, counted: int, put: int) -> None:
        self.check()
        full = sum(box.balance for box in self.boxes)
        assert full == put, (full, put)
        assert int(self.counter) == counted, (int(self.counter), counted)
        assert sorted(self.tokens.get_nowait() for _ in range(TOKENS)) == list(range(TOKENS))
        assert self.tokens.empty()


class Worker:
    """One thread's part; what it counts is its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.own = Account(0)
        self.counted = self.put = self.steps = self.noted = self.committed = 0
        self.parts: list[Callable[[], None]] = [
            self.transfer,
            self.transfer,
            self.nested,
            self.exception,
            self.count,
            self.list_in_and_out,
            self.token,
            self.callbacks,
            self.outside,
            self.read_all,
            self.garbage,
            self.irrevocable,
            self.hand_over,
            self.whichever_is_there,
        ]

    def step(self) -> None:
        self.random.choice(self.parts)()
        self.steps += 1

    def two(self) -> list[Account]:
        return self.random.sample(self.world.accounts, 2)

    def transfer(self) -> None:
        source, target = self.two()

        @atomic
        def move() -> None:
            source.balance -= 1
            target.balance += 1

        move()
        assert not in_transaction()

    def nested(self) -> None:
        source, target = self.two()

        @atomic
        def inner() -> None:
            target.balance += 1
            source.balance -= 1
            raise Oops

        @atomic
        def outer() -> None:
            source.balance -= 2
            try:
                inner()
            except Oops:
                target.balance += 2

        outer()

    def exception(self) -> None:
        source, target = self.two()

        @atomic
        def fails() -> None:
            source.balance -= 50
            target.new_attribute = object()
            raise Oops

        try:
            fails()
        except Oops:
            return
        raise AssertionError("an exception was lost")

    def count(self) -> None:
        amount = self.random.randrange(10)
        atomically(self.world.counter.add, amount)
        self.counted += amount

    def list_in_and_out(self) -> None:
        entries, total = self.world.entries, self.world.sum_of_entries
        number, comes = self.random.randrange(100), self.random.random() < 0.5

        @atomic
        def change() -> None:
            if comes and len(entries) < 50:
                entries.append(number)
                total.balance += number
            elif entries:
                total.balance -= entries.pop()

        change()

    def token(self) -> None:
        tokens = self.world.tokens

        @atomic
        def through() -> None:
            tokens.put_nowait(tokens.get_nowait())

        through()

    def callbacks(self) -> None:
        source, target = self.two()
        aborted = []

        @atomic
        def move() -> None:
            on_commit(self.note)
            on_abort(aborted.append, 1)
            source.balance -= 1
            target.balance += 1

        move()
        self.committed += 1
        assert self.noted == self.committed, (self.noted, self.committed)

    def note(self) -> None:
        assert not in_transaction()
        self.noted += 1

    def outside(self) -> None:
        self.own.balance += 1
        self.random.choice(self.world.accounts).payload = self.steps
        assert isinstance(self.random.choice(self.world.accounts).balance, int)

    def read_all(self) -> None:
        with_trace = self.random.random() < 0.5

        @atomic
        def total() -> int:
            if with_trace:
                return sum(account.balance for account in self.world.accounts)
            with unrecorded():
                return len([account.balance for account in self.world.accounts])

        expected = ACCOUNTS * EACH if with_trace else ACCOUNTS
        assert total() == expected

    def garbage(self) -> None:
        account, payload = self.random.choice(self.world.accounts), Payload()

        @atomic
        def keep() -> None:
            account.payload = payload
            if self.random.random() < 0.02:
                gc.collect()

        keep()

    def irrevocable(self) -> None:
        source, target = self.two()
        ran = []

        @atomic(irrevocable=True)
        def move() -> None:
            ran.append(1)
            source.balance -= 1
            target.balance += 1

        move()
        assert ran == [1], ran

    def hand_over(self) -> None:
        """Waits until a box is empty and fills it, or until it is full and empties it."""
        box, fills = self.random.choice(self.world.boxes), self.random.random() < 0.5

        @atomic(timeout=0.02)
        def change() -> None:
            if box.balance == fills:
                retry()
            box.balance = int(fills)

        try:
            change()
            self.put += 1 if fills else -1
        except TransactionTimeout:
            pass

    def whichever_is_there(self) -> None:
        def empties(box: Account) -> Callable[[], None]:
            def empty() -> None:
                if not box.balance:
                    box.payload = None  # is taken back
                    retry()
                box.balance = 0

            return empty

        @atomic(timeout=0.02)
        def change() -> None:
            or_else(*(empties(box) for box in self.world.boxes))

        try:
            change()
            self.put -= 1
        except TransactionTimeout:
            pass


class Soak:
    def __init__(self, seconds: float, threads: int, seed: int) -> None:
        self.world = World()
        self.end = time.monotonic() + seconds
        self.threads = threads
        self.seeds = random.Random(seed)
        self.workers: list[Worker] = []
        self.counted = self.put = self.steps = self.interrupts = self.forks = self.started = 0
        self.mutex = threading.Lock()
        self.failed = False
        self.armed = False

    def run(self) -> bool:
        """Whether everything held."""
        signal.signal(signal.SIGALRM, self.interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        running: list[threading.Thread] = []
        main = Worker(self.world, self.seeds.randrange(2**32))
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
            alive = sum(type(thing) is Payload for thing in gc.get_objects())
            assert alive == 0, f"{alive} objects were never let go"
        return not self.failed

    def start(self) -> threading.Thread:
        worker = Worker(self.world, self.seeds.randrange(2**32))
        thread = threading.Thread(target=self.work, args=[worker])
        self.started += 1
        thread.start()
        return thread

    def work(self, worker: Worker) -> None:
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

    def take_part(self, worker: Worker) -> None:
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
                Worker(self.world, 0).transfer()
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
            f"{self.interrupts:5,} interrupts  {resident_megabytes():6.1f} MB",
            flush=True,
        )


def resident_megabytes() -> float:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


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
