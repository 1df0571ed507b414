"""Random programs on real objects leave right histories, on both tiers."""

from __future__ import annotations

import random

import pytest
from checker import judge
from python_level import findings, history_of
from scripts import Script


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("tier", ["dynamic", "compiled"])
def test_what_threads_see_of_each_other_is_right(tier, seed):
    judged = list(findings(tier, seed=seed, programs=20, runs=5))
    assert len(judged) == 100
    assert [str(finding) for finding in judged if finding] == []


def test_without_transactions_the_same_programs_leave_wrong_histories():
    wrong = 0
    for number in range(20):
        source = random.Random(number)
        script = Script(source, 4, blocks=False)
        text = script.text.replace("import Failed\n", "import Failed, untransacted as atomic\n").replace(
            " atomic,", ""
        )
        history = history_of(script, compile(text, "<generated>", "exec"), source)
        wrong += judge(history).opacity is not None
    assert wrong >= 15
