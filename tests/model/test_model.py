"""The model of docs/protocol.md for Spin, protocol.pml: it holds, and a rule that is left out is missed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

MODEL = Path(__file__).with_name("protocol.pml")
COMPILER = shutil.which("gcc") or shutil.which("cc")
# The model knows nothing of Python: once, on the machine's own interpreter, is enough.
pytestmark = [
    pytest.mark.skipif(
        subprocess.run(
            ["python3", "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True
        ).stdout.strip()
        != sys.base_prefix,
        reason="is checked on the machine's own interpreter",
    ),
    pytest.mark.skipif(
        not (shutil.which("spin") and COMPILER), reason="NEEDS Debian's spin and a C compiler"
    ),
]


@dataclass(frozen=True)
class Configuration:
    """What the threads do, and what is checked: `safety` is assertions and no deadlock, else also that under
    weak fairness the first thread commits again and again."""

    programs: str
    threads: int = 2
    records: int = 1
    once: bool = False  # one call of each thread, instead of calls without end
    safety: bool = False
    options: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.programs.lower()}-{self.threads}-{'safety' if self.safety else 'progress'}"


ONE_RECORD = Configuration("ONE_RECORD")
CROSSING = Configuration("CROSSING", records=2)
TWO_RECORDS = Configuration("TWO_RECORDS", records=2, once=True, safety=True)
SIGNALS = Configuration("ONE_RECORD", once=True, options=("SIGNALS",))
PAIRS = Configuration("PAIRS", records=2, once=True, safety=True, options=("VALUES",))
IRREVOCABLES = Configuration("IRREVOCABLES", records=2, safety=True)
TAKING_TURNS = Configuration("TAKING_TURNS", options=("VALUES",))

HOLDING = [
    ONE_RECORD,
    CROSSING,
    TWO_RECORDS,
    Configuration("EVERY_MODE", once=True, safety=True),
    SIGNALS,
    PAIRS,
    IRREVOCABLES,
    TAKING_TURNS,
    Configuration("STORED_OUTSIDE", safety=True, options=("VALUES",)),
    Configuration("WRITERS", threads=3, once=True, safety=True),
]
# A rule that is left out, and where that shows.
BROKEN = {
    "TABLE": ONE_RECORD,
    "CLAIM_IGNORED": ONE_RECORD,
    "CLAIM_BEHIND_THE_SPIN": ONE_RECORD,
    "CLAIM_ONLY_WHERE_HELD": ONE_RECORD,
    "NO_AGE_ON_SECOND_REFUSAL": ONE_RECORD,
    "NO_AGE_WHERE_SOMETHING_IS_HELD": ONE_RECORD,
    "NO_RECHECK": Configuration("ONE_RECORD", once=True, safety=True),
    "WAKE_BEFORE_IDLE": Configuration("ONE_RECORD", once=True, safety=True),
    "JUNIOR_WAITS": TWO_RECORDS,
    "GENERATION": Configuration("CROSSING", records=2, safety=True),
    "DOOM_BY_STORE": Configuration("CROSSING", records=2, safety=True),
    "RELEASE_BEFORE_REPLAY": PAIRS,
    "CANDIDATE_NOT_OLDEST": IRREVOCABLES,
    "TOKEN_FIRST": IRREVOCABLES,
    "WATCHES_AFTER_RELEASE": Configuration("TAKING_TURNS", safety=True, options=("VALUES",)),
    "WAKE_UP_NOT_KEPT": Configuration("TAKING_TURNS", safety=True, options=("VALUES",)),
    "BIT_TAKEN_LATE": Configuration("TAKING_TURNS", safety=True, options=("VALUES",)),
    "ABORT_TAKES_BIT": Configuration("TAKING_TURNS", safety=True, options=("VALUES",)),
}


def check(folder: Path, of: Configuration, *without: str) -> str:
    """Spin's report on the whole state space."""
    defined = [f"NT={of.threads}", f"NR={of.records}", f"PROGRAMS={of.programs}", *of.options, *without]
    if of.once:
        defined.append("CALLS=1")
    run(folder, "spin", "-a", *(f"-D{name}" for name in defined), str(MODEL))
    # MEMLIM is in MB, and 3 of NFAIR are enough for 4 processes.
    flags = ["-DCOLLAPSE", "-DMEMLIM=4000", "-DNFAIR=3", "-DSAFETY" if of.safety else "-DNP"]
    run(folder, str(COMPILER), "-O2", "-w", "-o", "pan", "pan.c", *flags)
    report = run(folder, "./pan", "-m2000000", *([] if of.safety else ["-l", "-f"]))
    assert "max search depth too small" not in report and "reached -DMEMLIM" not in report, report
    return report


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("configuration", HOLDING, ids=str)
def test_the_protocol_holds(tmp_path: Path, configuration: Configuration) -> None:
    report = check(tmp_path, configuration)
    assert "errors: 0" in report, report


@pytest.mark.parametrize("rule", BROKEN)
def test_a_rule_that_is_left_out_is_missed(tmp_path: Path, rule: str) -> None:
    report = check(tmp_path, BROKEN[rule], f"BREAK_{rule}")
    assert "errors: 1" in report, report


def test_every_rule_that_the_model_can_leave_out_is_left_out() -> None:
    text = MODEL.read_text()
    assert set(re.findall(r"\bBREAK_([A-Z_]+)", text)) == set(BROKEN)
