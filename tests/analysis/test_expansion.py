"""A small object never becomes a large one: arguments, pods of an Experiment's templates and secrets that reference one another."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from serinus.analysis.arguments import experiment_arguments, rollout_arguments
from serinus.analysis.errors import AnalysisProblem
from serinus.analysis.expansion import LARGEST, Room, TooLarge
from serinus.analysis.hiding import Hidden
from serinus.analysis.resolution import resolve
from serinus.analysis.templating import filled, with_arguments
from serinus.analysis.validation import check_for_rollout
from serinus.api.analysis import (
    AnalysisTemplate,
    AnalysisTemplateSpec,
    Argument,
    FieldRef,
    Metric,
    RolloutAnalysis,
    TemplateRef,
    ValueFrom,
)
from serinus.api.meta import ObjectMeta
from tests.support.analysis.run_player import made

MEMORY = 40_000_000
"""Bytes that an expansion may take before it is refused: a few times the allowed size."""


def metrics(count: int, placeholders: int) -> list[dict[str, Any]]:
    url = "http://x/" + "{{args.a}}" * placeholders
    return [{"name": f"m{i}", "provider": {"web": {"url": url}}} for i in range(count)]


def of_run() -> None:
    args = [{"name": "a", "value": "x" * 100_000}]
    resolve(made({"metrics": metrics(20, 500), "args": args}).spec, {})


def of_secret() -> None:
    args = [{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    resolve(made({"metrics": metrics(20, 500), "args": args}).spec, {"s": {"k": "x" * 100_000}})


def of_template() -> None:
    spec = AnalysisTemplateSpec(
        [Metric("m", {"web": {"url": "{{args.a}}" * 20_000}}, count=1)], [Argument("a", "x" * 100_000)]
    )
    asked = RolloutAnalysis([TemplateRef("t")])
    check_for_rollout(asked, {"t": AnalysisTemplate(ObjectMeta(name="t"), spec)}, {}, background=True)


def of_rollout() -> None:
    notes = {"metadata": {"annotations": {"note": "x" * 200_000}}}
    field = ValueFrom(field_ref=FieldRef("metadata.annotations"))
    rollout_arguments([Argument(f"a{i}", None, field) for i in range(2_000)], notes, latest="", stable="")


def of_experiment() -> None:
    args = [Argument(f"a{i}", "{{templates.a.replicaset.name}}" * 100) for i in range(300)]
    experiment_arguments(args, {"a": ("hash", "x" * 2_000)})


@pytest.mark.parametrize(
    ("expand", "said"),
    [
        (of_run, "metrics['m0'].provider.web.url"),
        (of_secret, "metrics['m0'].provider.web.url"),
        (of_template, "metrics['m'].provider.web.url"),
        (of_rollout, "args.a7"),
        (of_experiment, "args.a"),
    ],
)
def test_an_expansion_ends_before_it_takes_memory_and_names_bound_and_field(expand: Callable[[], None], said: str):
    tracemalloc.start()
    with pytest.raises(AnalysisProblem) as refused:
        expand()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"more than {LARGEST} characters (at " in str(refused.value)
    assert said in str(refused.value)
    assert peak < MEMORY


def test_what_fits_is_filled_as_before():
    found = resolve(made({"metrics": metrics(3, 2), "args": [{"name": "a", "value": "x" * 1000}]}).spec, {})
    assert found.metrics[2].metric.provider == {"web": {"url": "http://x/" + "x" * 2000}}
    assert 6_000 < found.size < 7_000


def test_room_is_for_all_metrics_of_a_run_together():
    room, values = Room(most=100), {"a": "x" * 30}
    with_arguments(Metric("m", {"web": {"url": "{{args.a}}"}}), values, room)
    with pytest.raises(
        TooLarge, match=r"more than 100 characters \(at metrics\['n'\]\.provider\.web\.headers\[0\]\.value\)"
    ):
        with_arguments(Metric("n", {"web": {"headers": [{"key": "k", "value": "{{args.a}}" * 2}]}}), values, room)


@pytest.mark.parametrize(
    "text",
    [
        "{{args." + " " * 200_000,
        "{{" * 100_000,
        "{{ " * 100_000,
        "{{args." * 50_000,
        "{{" + " " * 200_000,
        "{{args.a }" * 50_000,
    ],
)
def test_filling_needs_time_in_proportion_to_its_text(text: str):
    """CPU time of a fifth of the text and of the whole text. In quadratic time the second would be 25 times the first."""

    def seconds(part: str) -> float:
        began = time.process_time()
        for _ in range(3):
            with contextlib.suppress(AnalysisProblem):
                filled(part, lambda _: "1")
        return time.process_time() - began

    assert seconds(text) < 0.5 or seconds(text) < 12 * seconds(text[: len(text) // 5])


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("a word", ["word"], "a *****"),
        ("****", ["****"] * 20, "*****"),
        ("a****b", ["a***", "****"], "*****b"),
        ("abcd", ["abcd", "bcd"], "*****"),
        ("a....c", ["...."], "a*****c"),
        ("abc", [], "abc"),
    ],
)
def test_a_secret_is_replaced_once(text: str, secrets: list[str], shown: str):
    assert Hidden(secrets).text(text, 100) == shown
