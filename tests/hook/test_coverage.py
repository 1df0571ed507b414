"""coverage.py on compiled code: lines and branches, as for the module that was not compiled."""

import json
import sys

import pytest
from projects import SHOW_TIER
from workout import WORKOUT

pytest.importorskip("coverage")

CORES = ["pytrace", "ctrace"]
if sys.version_info >= (3, 12):
    CORES.append("sysmon")

PROGRAM = "{hook}\nimport workout\nworkout.main()\n" + SHOW_TIER.format("workout")


def measured(project, core, *options):
    """The report of coverage.py on the module, without the time it was made at."""
    run = project.python(
        "-m", "coverage", "run", *options, "--include=workout.py", "program.py", COVERAGE_CORE=core
    )
    assert "CoverageWarning" not in run.err
    project.python("-m", "coverage", "json", "-o", "coverage.json")
    report = json.loads((project.root / "coverage.json").read_text())
    return run.out, report["files"]["workout.py"]


@pytest.mark.parametrize("options", [(), ("--branch",)], ids=["lines", "branches"])
@pytest.mark.parametrize("core", CORES)
def test_the_report_is_that_of_the_plain_module(project, core, options):
    if core == "sysmon" and options and sys.version_info < (3, 14):
        pytest.skip("coverage.py measures branches by sys.monitoring from 3.14 on")
    project.write("workout.py", WORKOUT)
    reports = {}
    for hook in "import stmpy", "import stmpy.hook":
        project.write("program.py", PROGRAM.format(hook=hook))
        out, report = measured(project, core, *options)
        reports[out] = report
    assert reports["compiled\n"] == reports["dynamic\n"]
    summary = reports["compiled\n"]["summary"]
    assert summary["covered_lines"] > 70
    assert summary["missing_lines"] >= 2
    if options:
        assert summary["covered_branches"] > 20 and summary["missing_branches"] >= 3


def test_the_default_core_sees_the_same_through_the_run_command(project):
    source = WORKOUT + "\n\nmain()\n"
    project.write("workout.py", source)
    project.python("-m", "coverage", "run", "--branch", "--include=workout.py", "workout.py")
    project.python("-m", "coverage", "json", "-o", "plain.json")
    project.python(
        "-m", "coverage", "run", "--branch", "--include=workout.py", "-m", "stmpy", "run", "workout.py"
    )
    project.python("-m", "coverage", "json", "-o", "ours.json")
    plain, ours = (
        json.loads((project.root / name).read_text())["files"]["workout.py"]
        for name in ("plain.json", "ours.json")
    )
    assert ours == plain
