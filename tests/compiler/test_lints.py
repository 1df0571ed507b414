"""Each rule about atomic code: what it finds, with its place, and what it leaves alone."""

import pytest
from linting import BASKET, HEAD, expected, findings, function

import stmpy
from stmpy import _compiler

FOUND = {
    "STM201": [
        function("«print(o.x)»"),
        function("«open('log', 'w')».write(x)"),
        function("with «open(x)» as file:\n    file.read()"),
        function("«show(o.x)»", before="show = print\n"),
        function("«log(x)»", before="from builtins import print as log\n"),
        function("«os.remove(x)»"),
        function("«away(x)»", before="from os import remove as away\n"),
        function("«p.write(x)»", before="p = open('x')\n"),
        "with open('x') as p, atomic():\n    «p.write('')»\n",
        function("«subprocess.run(x)».check_returncode()", before="import subprocess\n"),
        function("«r.get(x)».json()", before="import requests as r\n"),
        function("«session.post(x)»", before="import requests\nsession = requests.Session()\n"),
        function("«logger.info('%s', x)»", before="logger = logging.getLogger(__name__)\n"),
        function("«logging.getLogger('x').warning(x)»"),
        function("«sys.stdout.write(x)»"),
        function("«Path(x).write_text('')»", before="from pathlib import Path\n"),
        function("«Path(x).write_text('')»", before="import pathlib\nPath = pathlib.Path\n"),
        function("s = socket.socket()\n«s.connect(x)»", before="import socket\n"),
        function("[«print(i)» for i in x]"),
        function("y = f'{«print(x)»}'"),
        function("def helper():\n    «print(x)»\nhelper()"),
        function("sorted(x, key=lambda y: «print(y)»)"),
        function("«open(x)»", before="try:\n    import os.path\nexcept ImportError:\n    import os\n"),
        BASKET + "    @atomic\n    def m(self):\n        «self.log.info('')»\n"
        "    def g(self):\n        self.log = logging.getLogger()\n",
    ],
    "STM202": [
        "with time.sleep(1), atomic(), «time.sleep(2)» as x:\n    pass\n",
        function("«time.sleep(1)»"),
        function("«nap(1)»", before="from time import sleep as nap\n"),
        function("«ready.wait()»", before="ready = threading.Event()\n"),
        function("«worker.join()»", before="worker = threading.Thread()\n"),
        function(
            "y = «done.result()»",
            before="from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor() as pool:\n    done = pool.submit(len)\n",
        ),
    ],
    "STM203": [
        function("with «lock»:\n    o.x = 1", before="lock = threading.Lock()\n"),
        function("with («lock», x):\n    o.x = 1", before="lock = threading.RLock()\n"),
        function("with («lock» as y):\n    o.x = 1", before="lock = threading.RLock()\n"),
        "lock = threading.Lock()\nwith atomic(), «lock»:\n    pass\n",
        function("«lock.acquire()»", before="from threading import Lock as L\nlock = None\nlock = L()\n"),
        function("«q.put(x)»\n«q.get()»", before="q = queue.Queue()\n"),
        "class A(STMObject):\n    def __init__(self):\n        self.lock = threading.Lock()\n"
        "    @atomic\n    def f(self):\n        with «self.lock»:\n            pass\n",
        "class B:\n    def __init__(self):\n        self.lock = threading.Lock()\n"
        "class A(STMObject, B):\n    @atomic\n    def f(self):\n        «self.lock.acquire(False)»\n",
    ],
    "STM204": [
        function("«threading.Thread(target=f).start()»"),
        function("«t.start()»", before="class T(threading.Thread):\n    pass\nt = T()\n"),
        function("«asyncio.run(x)»", before="import asyncio\n"),
        function("async def g(): pass\n«asyncio.run(g())»", before="import asyncio\n"),
        function("def g():\n    print(x)\n«threading.Thread(target=g).start()»"),
    ],
    "STM205": [
        function("o.x = «random.random()»"),
        function("o.x = «choice(x)»", before="from random import choice\n"),
        function("o.x = «rng.random()»", before="rng = random.Random(1)\n"),
        function("o.x = «uuid.uuid4()».hex", before="import uuid\n"),
    ],
    "STM206": [
        function("o.x = «time.monotonic()»"),
        function("o.x = «datetime.now()»", before="from datetime import datetime\n"),
        function("o.x = «datetime.datetime.now()».year", before="import datetime\n"),
    ],
    "STM211": [
        BASKET + "    @atomic\n    def m(self, x):\n        «self.items.append(x)»\n",
        BASKET + "    @atomic\n    def m(self, x):\n        «self.prices[x]» = 1\n",
        BASKET + "    @atomic\n    def m(self, x):\n        «self.prices[x]» += 1\n",
        BASKET + "    @atomic\n    def m(self, x):\n        del «self.prices[x]», «self.items[0]»\n",
        BASKET + "    @atomic\n    def m(self, x):\n        «self.names» |= x\n",
        BASKET + "    @atomic\n    def m(self, x):\n        for «self.items[0]» in x: pass\n",
        BASKET + "    @atomic\n    def m(self, x):\n        with x as «self.items[0]»: pass\n",
        BASKET + "    @atomic\n    def m(self, x):\n        with (x as y, x as «self.items[0]»): pass\n",
        BASKET + "    @atomic\n    def m(self, x):\n        items = self.items\n        «items.append(x)»\n",
        BASKET + function("«o.items.append(x)»"),
        BASKET + function("«o.names.add(x)»", parameters="o: Basket, x"),
        BASKET + function("(y, «o.prices[x]») = 1, 2"),
        BASKET + "import heapq\n" + function("«heapq.heappush(o.items, x)»"),
        BASKET + "class Big(Basket):\n    @atomic\n    def m(self, x):\n        «self.items.clear()»\n",
        "from dataclasses import dataclass, field\n@dataclass\nclass A(stmpy.STMObject):\n"
        "    items: list[int] = field(default_factory=list)\n"
        "    @atomic\n    def m(self):\n        «self.items.append(1)»\n",
        "class A(STMObject):\n    def __init__(self):\n        self.items = None\n    def n(self):\n"
        "        self.items = list()\n    @atomic\n    def m(self):\n        «self.items.append(1)»\n"
        "    @atomic\n    def k(self):\n        self.items = self.items + [1]\n",
        BASKET + function("other = o.other\n«other.items.append(x)»"),
        BASKET + function("«o.items.append(x)»\no.items = []"),
    ],
    "STM212": [
        function("«SEEN.append(x)»", before="SEEN = []\n"),
        function("«CACHE[x]» = o.x", before="CACHE: dict = {}\n"),
        function("del «CACHE[x]»", before="CACHE = dict()\n"),
        function("«seen.add(x)»", parameters="x, seen=set()"),
        function("«out.append(x)»", parameters="x, out: list[int]"),
        function("«os.environ['X']» = x"),
        BASKET + "    @atomic\n    def m(self):\n        «Basket.shared.append(1)»\n",
        "def outer():\n    done = []\n    @atomic\n    def f():\n        «done.append(1)»\n",
        "def outer():\n    done = []\n    with atomic():\n        «done.append(1)»\n",
    ],
    "STM213": [
        function("global n\n«n» = x", before="n = 0\n"),
        function("global n\n«n» += 1", before="n = 0\n"),
        function("global n\nfor «n» in x: pass", before="n = 0\n"),
        function("global n\nwith x as «n»: pass", before="n = 0\n"),
        function("global n\nif («n» := x): pass", before="n = 0\n"),
        function("global n\ndel «n»", before="n = 0\n"),
        "def outer():\n    n = 0\n    @atomic\n    def f():\n        nonlocal n\n        «n» += 1\n",
        function("«os.linesep» = x"),
        function("«globals()['n']» = x"),
        function("«os.chdir(x)»"),
        function("«VAR.set(x)»", before="from contextvars import ContextVar\nVAR = ContextVar('VAR')\n"),
    ],
    "STM214": [
        BASKET + function("«Basket.count» += 1"),
        BASKET + "    @atomic\n    def m(self):\n        «type(self).count» = 1\n",
        BASKET + "    @atomic\n    def m(self):\n        «self.__class__.count» = 1\n",
        BASKET + "    @classmethod\n    @atomic\n    def m(cls):\n        «cls.count» = 1\n",
        function("«type(o).count» += 1"),
    ],
    "STM215": [
        function("o.x = «next(IDS)»", before="IDS = itertools.count()\n"),
        BASKET + "    @atomic\n    def m(self):\n        self.x = «next(self.numbers)»\n",
        function("for line in «LINES»:\n    o.x = line", before="LINES = iter([1, 2])\n"),
        function("«next(G)»", before="def g():\n    yield 1\nG = g()\n"),
    ],
    "STM216": [
        "@«functools.cache»\n@atomic\ndef f(o): return o.x\n",
        "@atomic\n@«functools.lru_cache(maxsize=None)»\ndef f(o): return o.x\n",
    ],
    "STM217": [
        "class A:\n    @atomic\n    def m(self, n):\n        «self.x» += n\n",
        "class A(object):\n    @atomic\n    def m(self, n):\n        del «self.x»\n",
        "class A: pass\nclass B(A, metaclass=M):\n    @atomic\n"
        "    def m(self):\n        «self.y», «self.x» = 1, 2\n",
        "class A: pass\na = A()\n" + function("«a.x» = 1"),
        "class A:\n    def __init__(self):\n        self.x = []\n"
        "    @atomic\n    def m(self):\n        «self.x.append(1)»\n",
        "class A: pass\n" + function("«a.x» = 1", parameters="a: A"),
        "class A:\n    def n(self):\n        «self.x» = 1\n    @atomic\n    def m(self):\n        self.n()\n",
    ],
    "STM221": [
        function("try:\n    o.x = 1\n«except»:\n    pass"),
        function("try:\n    o.x = 1\nexcept «BaseException»:\n    pass"),
        function("try:\n    o.x = 1\nexcept (ValueError, «BaseException») as e:\n    return e"),
        function("try:\n    o.x = 1\nexcept* «BaseException»:\n    pass"),
        function("try:\n    o.x = 1\nexcept «All»:\n    pass", before="All = BaseException\n"),
        function("try:\n    o.x = 1\nexcept «stmpy.AbortTransaction»:\n    pass"),
        function(
            "with suppress(KeyError, «BaseException»):\n    o.x = 1",
            before="from contextlib import suppress\n",
        ),
        function("try:\n    o.x = 1\n«except»:\n    if x:\n        raise"),
    ],
    "STM222": [
        function("try:\n    o.x = 1\nfinally:\n    «return x»"),
        function("for y in x:\n    try:\n        o.x = 1\n    finally:\n        «break»"),
        function("while x:\n    try:\n        o.x = 1\n    finally:\n        if x: «continue»"),
        function(
            "while x:\n    try:\n        o.x = 1\n    finally:\n"
            "        for z in x:\n            break\n        else:\n            «break»"
        ),
    ],
    "STM231": [
        "async def g(): pass\n" + function("o.task = «g()»"),
    ],
    "STM232": [
        function("return «(a.balance for a in x)»"),
        function("return «map(lambda a: a.balance, x)»"),
        function("def values():\n    yield o.x\nreturn «values()»"),
    ],
    "STM233": [
        function("«import decimal»\no.x = decimal.Decimal(x)"),
        function("«from decimal import Decimal»"),
    ],
}

# In no case is there a finding.
CLEAN = {
    "not atomic": [
        "def f():\n    print(1)\n    time.sleep(1)\n",
        "@stmpy.compiled\ndef f():\n    print(1)\n",
        "def atomic(f): return f\n@atomic\ndef f():\n    print(1)\n",
        "def g():\n    @other.atomic\n    def f():\n        print(1)\n",
        "async def f(o):\n    await o.x\n    with atomic():\n        o.x = 1\n    await o.y\n",
        "@atomic(irrevocable=True)\ndef f():\n    print(1)\n",
        function("print(x)\nyield o.x"),
        "with atomic(irrevocable=True):\n    print(1)\n",
        "lock = threading.Lock()\nwith lock, atomic():\n    pass\n",
    ],
    "run later, or elsewhere": [
        function("stmpy.on_commit(lambda: print(x))"),
        function("def later():\n    print(x)\nstmpy.on_commit(later)"),
        function("def later():\n    print(x)\nreturn later"),
        function("return lambda: print(x)"),
        function("weakref.finalize(o.x, lambda: print(x))", before="import weakref\n"),
        function("@atomic(irrevocable=True)\ndef inner():\n    print(x)\ninner()"),
    ],
    "other things of the same name": [
        function("print(x)", before="def print(x): pass\n"),
        function("print(x)", parameters="x, print"),
        function("time.sleep(1)", parameters="o, time"),
        function("sleep(1)", before="from mine import sleep\n"),
        function("rest(1)", before="if x:\n    rest = len\nelse:\n    from time import sleep as rest\n"),
        function("rest(1)", before="if x:\n    rest = own()\nelse:\n    from time import sleep as rest\n"),
        function("with lock: pass", before="lock = own()\nif x:\n    lock = threading.Lock()\n"),
        function("o.print(x)\no.open()\no.sleep()"),
        function("logger.info(x)", before="logger = MyLog()\n"),
        function("with lock:\n    pass", before="lock = MyLock()\n"),
        function("return os.path.join(x, 'y'), os.getpid(), random.Random, time.strftime"),
        function("def print(x): pass\nprint(x)"),
    ],
    "made by the transaction itself": [
        function("out = io.StringIO()\nprint(x, file=out)", before="import io\n"),
        function("q = queue.Queue()\nq.put(x)\nq.get()"),
        function("lock = threading.Lock()\nwith lock:\n    pass"),
        function("r = random.Random(x)\no.x = r.random()"),
        function("items = []\nitems.append(x)\no.items = items"),
        function("found = {}\nfor y in x:\n    found[y] = 1\ndel found[x]"),
        function("numbers = itertools.count()\no.x = next(numbers)"),
        function("def inner():\n    nonlocal y\n    y += 1\ny = 0\ninner()"),
        function("def inner(seen):\n    seen.append(1)\ninner([])"),
        function("return [a.x for a in x], sum(a.x for a in x)"),
        function("def values():\n    yield o.x\nreturn list(values())"),
        function("return map(str, x)"),
        function("return (y + 1 for y in x)"),
        function("return map(lambda y: y + 1, x)"),
        function("@contextmanager\ndef values():\n    yield o.x\nreturn values()"),
        "with atomic():\n    done = []\n    done.append(1)\n",
        BASKET + function("b = Basket(x)\nb.items.append(x)\nreturn b"),
        BASKET
        + "    def add(self, x):\n        self.items.append(x)\n"
        + function("b = Basket(x)\nb.add(x)"),
        BASKET + "def fill(b, x):\n    b.items.append(x)\n" + function("fill(Basket(x), x)"),
        "class A: pass\n" + function("a = A()\na.x = 1\nreturn a"),
        "class A: pass\ndef fill(a: A):\n    a.x = 1\n" + function("fill(A())"),
        "class A:\n    @atomic\n    def __init__(self):\n        self.x = 1\n",
        BASKET + "class Big(Basket):\n    @atomic\n    def __init__(self):\n"
        "        super().__init__([])\n        self.items.append(1)\n",
        BASKET + function("o.items = list(o.items)\no.items.append(x)"),
        "class A(STMObject):\n    @atomic\n    def __init__(self, items):\n"
        "        self.items = []\n        self.items.append(1)\n",
    ],
    "not plain, or not known": [
        function("o.items.append(x)\no.prices[x] = 1\no.names |= x"),
        function("x.append(1)\nx[0] = 1"),
        "class A(STMObject):\n    def __init__(self, items):\n        self.items = items\n"
        "    @atomic\n    def m(self, x):\n        self.items.append(x)\n",
        "class A(STMObject):\n    def __init__(self):\n        self.items = Own()\n"
        "    @atomic\n    def m(self, x):\n        self.items.append(x)\n",
        "class A:\n    def __init__(self):\n        self.items = []\n" + function("o.items.append(x)"),
        BASKET + function("o.items = [*o.items, x]\no.prices = {**o.prices, x: 1}\no.count += 1"),
        BASKET + function("return o.items[0], len(o.items), o.items.index(x), o.items + [x]"),
        BASKET + function("o.owner.append(x)"),
        "class A(Base):\n    @atomic\n    def m(self):\n        self.x = 1\n",
        "from other import Base\nclass A(Base):\n    @atomic\n    def m(self):\n        self.x = 1\n",
        "class A:\n    @atomic\n    def m(self):\n        self.x = 1\nclass B(STMObject, A): pass\n",
        "class XMixin:\n    def __init__(self):\n        self.x = []\n"
        "    @atomic\n    def m(self):\n        self.x.append(1)\n",
        "class XMixin:\n    @atomic\n    def m(self):\n        self.x = 1\n",
        "class A(STMObject): pass\nclass B(A):\n    @atomic\n    def m(self):\n        self.x = 1\n",
        "class A:\n    @staticmethod\n    @atomic\n    def m(a):\n        a.x = 1\n",
    ],
    "handlers that are right": [
        function("try:\n    o.x = 1\nexcept Exception:\n    pass"),
        function("try:\n    o.x = 1\nexcept (ValueError, KeyError):\n    pass"),
        function("try:\n    o.x = 1\nexcept BaseException:\n    o.y = 1\n    raise"),
        function("try:\n    o.x = 1\nexcept:\n    raise ValueError from None"),
        function(
            "try:\n    o.x = 1\nexcept BaseException:\n    pass", before="from mine import BaseException\n"
        ),
        function("try:\n    o.x = 1\nfinally:\n    for y in x:\n        if y: break"),
        function("try:\n    o.x = 1\nfinally:\n    def g():\n        return 1\n    g()"),
        function("try:\n    return o.x\nfinally:\n    o.y = 1"),
        function("while x:\n    try:\n        break\n    finally:\n        o.x = 1"),
    ],
    "names of one's own": [
        function("n = x\nn += 1"),
        function("global n\nreturn n", before="n = 1\n"),
        function("o.count = 1"),
        function("yield_ = o.x"),
        BASKET + "    @atomic\n    def m(self):\n        self.count += 1\n        Basket(1).count = 2\n",
    ],
}


def cases(table):
    return [
        pytest.param(key, source, id=f"{key}-{i}") for key in table for i, source in enumerate(table[key])
    ]


@pytest.mark.parametrize("code, marked", cases(FOUND))
def test_a_rule_finds_what_it_is_about(code, marked):
    source, places = expected(marked)
    assert findings(source) == [(code, place) for place in places]


@pytest.mark.parametrize("kind, source", cases(CLEAN))
def test_ordinary_code_is_left_alone(kind, source):
    assert findings(source) == []


def test_lines_and_columns_count_characters_across_lines():
    text = HEAD + function("y = 'äöü'; print(\n    x)")
    (found,) = _compiler.lint(text)[0]
    assert (found.line, found.column, found.end_line, found.end_column) == (5, 15, 6, 10)


def test_what_the_compiler_cannot_read_has_no_findings():
    for source in ("@atomic\ndef f(:\n", "x = '\0'", "\udc80", "  x\n y\n"):
        assert _compiler.lint(source) == ([], [])


def test_every_rule_has_a_case_and_says_what_to_do():
    rules = _compiler.lint_rules()
    assert sorted(FOUND) == [rule.code for rule in rules if rule.code != "STM291"]
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.why and rule.hint for rule in rules)


def test_remedies_name_only_what_there_is():
    words = {
        word.strip("`.,;:()")
        for rule in _compiler.lint_rules()
        for word in (rule.hint + " " + rule.why).split()
    }
    names = {word.partition("(")[0] for word in words if word.startswith(("STM", "stmpy."))}
    assert {name.removeprefix("stmpy.") for name in names} <= set(stmpy.__all__)
