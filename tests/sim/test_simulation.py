"""Whole histories under faults: every promise is checked after every event, and the end equals that without faults."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from serinus.api.rollout import Rollout
from serinus.api.validation.rollout import validate
from serinus.engine.core.plan import Snapshot
from serinus.engine.judging.analyses import finding
from serinus.engine.strategy.spec_rules import RULES
from tests.sim.bugs import MUTANTS
from tests.sim.faults import KINDS
from tests.sim.generate import generate
from tests.sim.history import load
from tests.sim.mutants import applied
from tests.sim.probes import TROUBLES, Trouble
from tests.sim.run import run
from tests.sim.shrink import shrink
from tests.support.long import few

ROOT = Path(__file__).parents[2]
SEEDS, CHUNK = 1000, 25


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A bad day is loud: each fault is a warning of the controller's."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", few(range(0, SEEDS, CHUNK), [0]))
def test_no_history_breaks_a_promise(first: int):
    for seed in range(first, first + CHUNK):
        found = run(generate(seed)).violations
        assert not found, f"seed {seed}: {found[0]}\nreproduce: python -m tests.sim --start {seed} --seeds 1"


def test_every_generated_rollout_is_valid_and_so_are_its_analyses():
    for seed in range(500):
        history = generate(seed)
        rollout = msgspec.convert(history.rollout, Rollout)
        assert not validate(rollout, rules=RULES), f"seed {seed}"
        templates = {f"AnalysisTemplate/{t['metadata']['name']}": t for t in history.templates}
        assert finding(Snapshot(0.0, rollout, objects=templates)) is None, f"seed {seed}"


def test_a_third_of_the_histories_has_analyses_of_every_kind():
    histories = [generate(seed) for seed in range(300)]
    judged = [h for h in histories if h.templates]
    assert 80 < len(judged) < 120
    text = " ".join(h.dump() for h in judged)
    for part in ("startingStep", "prePromotionAnalysis", "postPromotionAnalysis", '"experiment"', "dryRun"):
        assert part in text, part
    for part in ("web", "prometheus", "job", *TROUBLES):
        assert f'"{part}"' in text, part


def test_half_of_the_histories_have_inputs_that_are_easily_forgotten():
    histories = [generate(seed) for seed in range(400)]
    text = " ".join(h.dump() for h in histories)
    for part in ("canaryMetadata", "stableMetadata", "previewMetadata", "activeMetadata", "denied", "set-edited",
                 "set-stripped", "metadata-taken", "steps-broken", "template-lost", "{{ with secret }}",
                 "{{ args.m0-count }}", '"name": "trial"'):  # fmt: skip
        assert part in text, part
    denied = sum(any(e.kind == "denied" for e in h.episodes) for h in histories)
    assert 60 < denied < 160


def test_a_trouble_of_the_monitoring_strikes_and_changes_no_verdict():
    history = next(h for h in map(generate, range(1000)) if h.templates and h.closing == "judged")
    calm = structs.replace(history, troubles=(), late_troubles=(), actions=(), kills=(), episodes=(), late_episodes=())
    always = tuple(Trouble(kind, 0.0, 3000.0, 0.3, 2.0) for kind in TROUBLES)
    troubled = run(structs.replace(calm, troubles=always, late_troubles=always))
    assert troubled.struck["monitoring"] > 0
    assert (troubled.violations, troubled.end) == ([], run(calm).end)


@pytest.mark.long
def test_a_history_is_a_function_of_its_seed_in_whatever_process_it_runs():
    script = (
        "import logging; logging.disable(50)\n"
        "from tests.sim.generate import generate; from tests.sim.run import run\n"
        "for s in range(12): r = run(generate(s)); print(s, r.events, r.plans, sorted(r.struck.items()), r.end)"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True, text=True, check=True,
        ).stdout
        for salt in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1


def test_a_history_that_breaks_a_promise_is_made_smaller_and_can_be_kept_as_text():
    bug = next(m for m in MUTANTS if m.name == "whole_selector_written")
    with applied(bug) as plan:
        history, violation = shrink(generate(0), plan=plan)
        assert violation.promise == "touch_only_ours"
        assert (history.actions, history.kills, history.episodes) == ((), (), ())
        assert run(load(history.dump()), plan=plan).violations[0] == violation


@pytest.mark.long
def test_faults_strike_and_controllers_die():
    struck: dict[str, int] = {}
    for seed in range(60):
        for kind, count in run(generate(seed)).struck.items():
            struck[kind] = struck.get(kind, 0) + count
    expected = {*KINDS, "killed"}
    assert expected <= struck.keys()
