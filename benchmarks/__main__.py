"""Measures stmpy against plain code, one lock, and the naive way to write such a memory: `python benchmarks`.

Everything is a ratio within this one run. Where the project has set itself a bound, the row says whether it
is kept: the one of today, and the one of the performance contract. Nothing fails on a miss: it is to be read.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Callable
from typing import NamedTuple

import bounds
import imports
import processes
import sources
import variants
from bounds import FREE_THREADED, Bound
from measure import Samples, alternate, clock_one, clock_threads, ratio
from variants import COMPILED, DYNAMIC, LOCK, NAIVE, PLAIN, Program


class Effort(NamedTuple):
    rounds: int
    seconds: float


class Table(NamedTuple):
    """A title, what to call the table on the command line, and what measures and prints it."""

    title: str
    name: str
    show: Callable[[str, Effort], None]


def one_thread(reference: str, judged: dict[str, Bound]) -> Callable[[str, Effort], None]:
    """A workload in one thread, in all variants."""

    def show(workload: str, effort: Effort) -> None:
        programs = variants.load(workload)
        samples = alternate({name: clock_one(program) for name, program in programs.items()}, *effort)
        print_times(samples, reference, judged)
        print_ratio("naive ÷ compiled", ratio(samples, NAIVE, COMPILED), bounds.NAIVE)

    return show


def collection(workload: str, effort: Effort) -> None:
    """A collection against the builtin one, in one thread."""
    programs = variants.load(workload)
    clocks = {name: clock_one(programs[name]) for name in (PLAIN, LOCK, DYNAMIC, COMPILED)}
    print_times(alternate(clocks, *effort), LOCK, {})


def outside(workload: str, effort: Effort) -> None:
    """Code without transactions: nothing in it is atomic, so nothing in it is compiled."""
    programs = variants.load(workload)
    clocks = {"plain": clock_one(programs[PLAIN]), "STMObject": clock_one(programs[DYNAMIC])}
    print_times(alternate(clocks, *effort), "plain", {"STMObject": bounds.OUTSIDE})


def on_plain_objects(workload: str, effort: Effort) -> None:
    """Compiled code whose objects turn out to be none of ours."""
    programs = variants.load(workload)
    clocks = {"uncompiled": clock_one(programs[PLAIN]), "compiled": clock_one(programs[COMPILED])}
    print_times(alternate(clocks, *effort), "uncompiled", {"compiled": bounds.PLAIN_OBJECTS})


def disjoint(workload: str, effort: Effort) -> None:
    """Throughput of threads that share nothing but the code, and how it grows from one thread to two."""
    names = (PLAIN, LOCK, DYNAMIC, COMPILED)
    programs = variants.load(workload)
    clocks = {f"{name} {n}": clock_threads(programs[name], n) for name in names for n in (1, 2)}
    samples = alternate(clocks, *effort)
    scaling = {name: ratio(samples, f"{name} 1", f"{name} 2") for name in names}
    print(f"  {'million a second':24}{'1 thread':>12}{'2 threads':>14}{'scaling':>12}")
    for name in names:
        one, two = (1e-6 / statistics.median(samples[f"{name} {n}"]) for n in (1, 2))
        print(f"  {name:24}{one:12.2f}{two:14.2f}{scaling[name]:12.2f}")
    for name in (COMPILED, DYNAMIC):
        print_ratio(f"{name}: scaling", scaling[name], bounds.SCALING)
        print_ratio(
            f"{name}: scaling ÷ plain's", scaling[name] / scaling[PLAIN], bounds.SCALING_AGAINST_PLAIN
        )
        print_ratio(
            f"{name}: 2 threads × one lock", ratio(samples, f"{LOCK} 2", f"{name} 2"), bounds.DISJOINT
        )


def contended(bound: Bound | None) -> Callable[[str, Effort], None]:
    """Threads on the same objects; a larger ratio is a larger throughput. The bound is for two of them."""

    def show(workload: str, effort: Effort) -> None:
        programs = variants.load(workload)
        names = (LOCK, DYNAMIC, COMPILED)
        print(f"  {'× one lock':24}{DYNAMIC:>12}{COMPILED:>14}")
        for threads in (1, 2, 4, 8):
            clocks = {name: clock_threads(programs[name], threads, shared=True) for name in names}
            samples = alternate(clocks, *effort)
            dynamic, compiled = (ratio(samples, LOCK, name) for name in (DYNAMIC, COMPILED))
            judgement = bound.judge(compiled) if bound and threads == 2 else ""
            print(f"  {threads:<24}{dynamic:12.2f}{compiled:14.2f}   {judgement}".rstrip())

    return show


def growing(workload: str, effort: Effort) -> None:
    """What one object costs in transactions that access one attribute of each of more and more of them."""
    programs = variants.load(workload)
    objects = {
        name: [each for _ in range(1000) for each in programs[name].make()] for name in (PLAIN, COMPILED)
    }
    print(f"  {'objects':24}{'compiled, ns each':>20}{'÷ ' + PLAIN:>12}")
    for count in (100, 1_000, 10_000, 100_000, 1_000_000):
        clocks = {
            name: clock_one(Program(lambda some=some[:count]: some, programs[name].run))
            for name, some in objects.items()
        }
        samples = alternate(clocks, effort.rounds if count < 100_000 else 3, effort.seconds)
        each = statistics.median(samples[COMPILED]) / count * 1e9
        print(f"  {count:<24,}{each:20.1f}{ratio(samples, COMPILED, PLAIN):12.2f}")


def memory(_: str, effort: Effort) -> None:
    plain, ours = processes.bytes_per_object("plain"), processes.bytes_per_object("stmpy")
    print_ratio(f"STMObject ({ours:.0f} bytes) ÷ plain ({plain:.0f})", ours / plain, bounds.MEMORY)


def import_time(_: str, effort: Effort) -> None:
    print_ratio(
        "ms over a bare interpreter", processes.import_milliseconds(effort.rounds), bounds.IMPORT_MILLISECONDS
    )


def hook(_: str, effort: Effort) -> None:
    print(f"  {'':36}{'plain, µs':>14}{'÷ plain':>14}")
    for uses, modules in ("uses stmpy", imports.USING_STMPY), ("does not", imports.NOT_USING_STMPY):
        for module in modules:
            with imports.importable(module) as name:
                for cold in (False, True) if uses == "uses stmpy" else (False,):
                    samples = alternate(imports.clocks(name, cold=cold), *effort)
                    bound = bounds.COLD_IMPORT if cold else bounds.WARM_IMPORT
                    label = f"{'cold' if cold else 'warm'}, {module.stem}, which {uses}"
                    value = ratio(samples, imports.HOOK, imports.PLAIN)
                    plain = statistics.median(samples[imports.PLAIN]) * 1e6
                    judgement = (bound if uses == "uses stmpy" else bounds.UNRELATED_IMPORT).judge(value)
                    print(f"  {label:36}{plain:14.0f}{value:14.2f}   {judgement}".rstrip())


def reading(_: str, effort: Effort) -> None:
    clocks, size = sources.clocks()
    samples = alternate(clocks, *effort)
    print(f"  {'':36}{'MB/s':>14}")
    for way, bound in (sources.LEX, bounds.LEXING), (sources.COMPILE, bounds.PARSING), (sources.PYTHON, None):
        print_ratio(way, size / statistics.median(samples[way]) / 1e6, bound)


TABLES = [
    Table(
        "1,000 × o.x += 1 in one transaction",
        "hot_loop",
        one_thread(PLAIN, {COMPILED: bounds.HOT_LOOP}),
    ),
    Table(
        "transfer between two objects",
        "transfer",
        one_thread(LOCK, {COMPILED: bounds.TRANSFER_COMPILED, DYNAMIC: bounds.TRANSFER_DYNAMIC}),
    ),
    Table(
        "one transaction that reads one attribute of each of 1,000 objects",
        "read_many",
        one_thread(PLAIN, {COMPILED: bounds.READ_MANY}),
    ),
    Table("one transaction that reads one attribute of each of n objects", "read_many", growing),
    Table("one transaction that adds to one attribute of each of n objects", "write_many", growing),
    Table("@compiled code on objects that are no STMObjects", "plain_mix", on_plain_objects),
    Table("… one update each", "plain_updates", on_plain_objects),
    Table("one transaction that reads and sets 20 keys of an STMDict", "dict_items", collection),
    Table("… 20 elements of an STMList", "list_items", collection),
    Table("… adds to an STMCounter", "counter_add", collection),
    Table("1,000 reads outside of transactions", "outside_read", outside),
    Table("1,000 writes outside of transactions", "outside_write", outside),
]
TWO_THREADS = [
    Table("two threads, transfers between objects that each thread made for itself", "transfer", disjoint),
    Table(
        "1, 2, 4, 8 threads, 50 reads and one write over the same objects",
        "read_mostly",
        contended(bounds.READ_MOSTLY),
    ),
    Table("1, 2, 4, 8 threads, one counter attribute", "counter", contended(bounds.CONTENDED_COUNTER)),
    Table("1, 2, 4, 8 threads, one STMCounter", "counter_add", contended(None)),
]
FROM_OUTSIDE = [
    Table("memory of an object with three attributes", "memory", memory),
    Table("import stmpy", "import", import_time),
    Table("imports through the hook", "import", hook),
    Table("reading sources of the standard library", "reading", reading),
]


def print_times(samples: Samples, reference: str, judged: dict[str, Bound]) -> None:
    print(f"  {'':24}{'µs a turn':>12}{'÷ ' + reference:>14}")
    for name, times in samples.items():
        value = ratio(samples, name, reference)
        judgement = judged[name].judge(value) if name in judged else ""
        print(f"  {name:24}{statistics.median(times) * 1e6:12.3f}{value:14.2f}   {judgement}".rstrip())


def print_ratio(label: str, value: float, bound: Bound | None) -> None:
    print(f"  {label:36}{value:14.2f}   {bound.judge(value) if bound else ''}".rstrip())


def main() -> None:
    tables = TABLES + TWO_THREADS * FREE_THREADED + FROM_OUTSIDE
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=21, metavar="N", help="rounds of each table (21)")
    parser.add_argument("--seconds", type=float, default=0.02, help="of each program in each round (0.02)")
    parser.add_argument(
        "--only", metavar="NAME", choices=sorted({table.name for table in tables}), help="%(choices)s"
    )
    options = parser.parse_args()
    build = "free-threaded, " if FREE_THREADED else ""
    print(
        f"Python {sys.version.split()[0]}, {build}{os.cpu_count()} cores; medians of {options.rounds} rounds"
    )
    for table in tables:
        if options.only in (None, table.name):
            print(f"\n{table.title}", flush=True)
            table.show(table.name, Effort(options.rounds, options.seconds))
    if not FREE_THREADED:
        print("\ntwo threads: left out, since this Python has a global interpreter lock")


if __name__ == "__main__":
    main()
