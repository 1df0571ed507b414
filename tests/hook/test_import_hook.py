"""What `import stmpy.hook` and `stmpy.hook.install` do to imports."""

import pytest
from projects import BANK, SHOW_TIER

UNRELATED = "def f(o):\n    o.x += 1\n"


def test_every_later_import_is_compiled(bank):
    assert bank.tier_of("bank") == "compiled"


def test_earlier_imports_are_not(bank):
    program = "import bank\nimport stmpy.hook\n" + SHOW_TIER.format("bank")
    assert bank.script(program).out == "dynamic\n"


def test_compiled_code_does_what_the_source_says(bank):
    program = """
import stmpy.hook
from bank import Account, total, transfer
a, b = Account(5), Account(6)
transfer(a, b, 2)
print(a.balance, b.balance, total(a, b))
try:
    transfer(a, b, 100)
except ValueError as error:
    print(error, total(a, b))
"""
    assert bank.script(program).out == "3 8 11\ninsufficient funds 11\n"


def test_modules_in_packages_are_compiled(project):
    project.write("shop/__init__.py", "")
    project.write("shop/money/__init__.py", "from . import bank\n")
    project.write("shop/money/bank.py", BANK)
    assert project.tier_of("shop.money.bank") == "compiled"


def test_namespace_packages_are_searched(project):
    project.write("first/shared/bank.py", BANK)
    project.write("second/shared/other.py", BANK)
    paths = "import sys; sys.path += ['first', 'second']"
    assert project.tier_of("shared.bank", before=paths) == "compiled"
    assert project.tier_of("shared.other", before=paths) == "compiled"


def test_modules_that_do_not_mention_stmpy_are_left_to_python(project):
    project.write("plain.py", UNRELATED)
    run = project.script("import stmpy.hook, plain, sys\nprint('stmpy.compiler' in sys.modules)\n")
    assert run.out == "False\n"
    assert not project.entries()
    assert len(list(project.root.glob("__pycache__/plain.*.pyc"))) == 1


def test_a_mention_in_pythons_own_cache_is_enough(bank):
    bank.script("import bank")
    assert list(bank.root.glob("__pycache__/bank.*.pyc"))
    assert bank.tier_of("bank") == "compiled"


def test_a_mention_that_was_taken_out_is_noticed(project):
    project.write("plain.py", "import stmpy\n" + UNRELATED)
    project.script("import plain")
    project.write("plain.py", UNRELATED + "# longer\n")
    assert project.tier_of("plain") == "dynamic"


def test_named_packages_need_not_mention_stmpy(project):
    project.write("shop/__init__.py", "from stmpy import atomic\n")
    project.write("shop/stock.py", "from shop import atomic\n@atomic\ndef f(o):\n    o.x += 1\n")
    program = "import stmpy.hook\nstmpy.hook.install(['shop'], compile_all=True)\nimport shop.stock\n"
    assert project.script(program + SHOW_TIER.format("shop.stock")).out == "compiled\n"


def test_compile_all_compiles_every_function_of_the_named_packages_only(project):
    project.write("inside.py", UNRELATED)
    project.write("outside.py", UNRELATED)
    program = "import stmpy.hook\nstmpy.hook.install(['inside'], compile_all=True)\nimport inside, outside\n"
    run = project.script(program + SHOW_TIER.format("inside") + SHOW_TIER.format("outside"))
    assert run.out == "compiled\ndynamic\n"


def test_a_package_name_does_not_cover_its_namesakes(project):
    project.write("shopping.py", UNRELATED)
    program = "import stmpy.hook\nstmpy.hook.install(['shop'], compile_all=True)\nimport shopping\n"
    assert project.script(program + SHOW_TIER.format("shopping")).out == "dynamic\n"


def test_uninstalling_the_handle_ends_it(bank):
    program = "import stmpy.hook\nstmpy.hook.handle.uninstall()\nimport bank, sys\n"
    finders = "print([f for f in sys.meta_path if 'stmpy' in type(f).__module__])\n"
    assert bank.script(program + SHOW_TIER.format("bank") + finders).out == "dynamic\n[]\n"


def test_a_handle_is_a_context_manager(project):
    project.write("inside.py", BANK)
    project.write("outside.py", BANK)
    program = """
from stmpy.hook import handle, install
handle.uninstall()
with install():
    import inside
import outside
"""
    run = project.script(program + SHOW_TIER.format("inside") + SHOW_TIER.format("outside"))
    assert run.out == "compiled\ndynamic\n"


def test_installing_twice_adds_one_finder_and_uninstalling_twice_is_harmless(bank):
    program = """
import stmpy.hook, sys
first, second = stmpy.hook.install(), stmpy.hook.install()
print(len([f for f in sys.meta_path if 'stmpy' in type(f).__module__]))
first.uninstall()
first.uninstall()
stmpy.hook.handle.uninstall()
import bank
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "1\ncompiled\n"


def test_the_last_installation_that_covers_a_module_decides(bank):
    program = "import stmpy.hook\nstmpy.hook.install(cache=False)\nimport bank\n"
    assert bank.script(program + SHOW_TIER.format("bank")).out == "compiled\n"
    assert not bank.entries()


def test_one_string_of_packages_is_refused():
    from stmpy.hook import install

    with pytest.raises(TypeError, match=r"\['bank'\]"):
        install("bank")


def test_a_reload_compiles_the_new_source(bank):
    program = f"""
import stmpy.hook, importlib, bank
with open("bank.py", "w") as file:
    file.write({BANK!r} + "\\nNEW = True\\n")
del bank.transfer
importlib.reload(bank)
print(bank.NEW)
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "True\ncompiled\n"


def test_a_lazy_loader_compiles_at_first_use(bank):
    program = """
import stmpy.hook, importlib.util, sys
spec = importlib.util.find_spec("bank")
spec.loader = importlib.util.LazyLoader(spec.loader)
bank = importlib.util.module_from_spec(spec)
sys.modules["bank"] = bank
spec.loader.exec_module(bank)
bank.transfer
"""
    assert bank.script(program + SHOW_TIER.format("bank")).out == "compiled\n"


def test_threads_that_import_at_once_all_get_compiled_modules(project):
    names = [f"bank{i}" for i in range(8)]
    for name in names:
        project.write(f"{name}.py", BANK)
    program = f"""
import stmpy.hook, importlib, threading
names = {names}
ready = threading.Barrier(len(names))
def load(name):
    ready.wait()
    importlib.import_module(name)
threads = [threading.Thread(target=load, args=[name]) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join()
import sys
"""
    shown = "".join(SHOW_TIER.format(f"sys.modules[{name!r}]") for name in names)
    assert project.script(program + shown).out == "compiled\n" * len(names)


def test_a_missing_module_is_reported_as_without_the_hook(project):
    program = "{}\ntry:\n    import nowhere\nexcept ImportError as error:\n    print(repr(error))\n"
    plain = project.script(program.format(""))
    assert project.script(program.format("import stmpy.hook")).out == plain.out


def test_importing_stmpy_loads_neither_compiler_nor_hook(project):
    program = "import stmpy, sys\nprint([n for n in ('stmpy._compiler', 'stmpy.hook') if n in sys.modules])\n"
    assert project.script(program).out == "[]\n"


def test_modules_are_told_from_the_loader_and_stay_ordinary(bank):
    program = """
import stmpy.hook, bank, inspect, importlib.resources
from importlib.machinery import SourceFileLoader
print(isinstance(bank.__spec__.loader, SourceFileLoader), bank.__file__ == bank.__spec__.origin)
print(inspect.getsource(bank) == open("bank.py").read())
"""
    assert bank.script(program).out == "True True\nTrue\n"
