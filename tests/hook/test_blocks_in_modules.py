"""`with atomic():` in scripts and modules: at their top level, and where it cannot be compiled."""

SCRIPT = """\
import threading
from stmpy import STMObject, atomic


class Counter(STMObject):
    def __init__(self):
        self.value = 0


counter = Counter()
turns = 0


def count():
    for _ in range(500):
        with atomic():
            value = counter.value
            counter.value = value + 1


threads = [threading.Thread(target=count) for _ in range(3)]
for thread in threads:
    thread.start()
while turns < 500:
    with atomic() as tx:
        turns += 1
        counter.value += 1
        for last in range(3):
            if last == 1:
                break
for thread in threads:
    thread.join()
print(counter.value, turns, last, tx.name)
"""


def test_a_script_with_blocks_at_its_top_level(project):
    project.write("script.py", SCRIPT)
    assert project.python("-m", "stmpy", "run", "script.py").out == "2000 500 1 <module>\n"


def test_an_imported_module_with_blocks_at_its_top_level(project):
    project.write("module.py", SCRIPT)
    assert project.script("import stmpy.hook, module\n").out == "2000 500 1 <module>\n"


def test_a_script_that_is_not_compiled_says_how_to(project):
    project.write("script.py", "from stmpy import atomic\nwith atomic():\n    pass\n")
    run = project.python("script.py", status=1)
    assert "line 2, in <module>" in run.err
    assert "RuntimeError: 'with atomic():' is a block" in run.err and "python -m stmpy run" in run.err


def test_a_block_that_suspends_is_warned_about_and_raises(project):
    project.write(
        "module.py",
        "from stmpy import atomic\n\ndef f():\n    with atomic():\n        yield\n",
    )
    run = project.script("import stmpy.hook, module\nnext(module.f())\n", status=1)
    assert "module.py:5: " in run.err and "STM121" in run.err and "cannot span a suspension" in run.err
    assert "RuntimeError: 'with atomic():' is a block" in run.err


def test_a_modules_blocks_bind_no_name_that_a_source_can_spell(project):
    project.write(
        "shop.py",
        "from stmpy import STMObject, atomic\nclass C(STMObject): pass\no = C()\n"
        "for i in range(3):\n    with atomic(), atomic():\n        o.x = i\n        if i == 1: break\n",
    )
    program = """
import shop
assert shop.o.x == 1
print(sorted(name for name in vars(shop) if name.isidentifier() and not name.startswith("__")))
exported = {}
exec("from shop import *", exported)
print(sorted(exported.keys() - {"__builtins__"}))
"""
    run = project.script(f"import stmpy.hook{program}")
    assert run.out == "['C', 'STMObject', 'atomic', 'i', 'o']\n" * 2
