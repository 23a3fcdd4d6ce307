"""`serinus verdict plan` and `calibrate`: before a release, and from the past."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from serinus.analysis.sequential.planning import ExpectedTraffic, found_by_step, times_to_harm
from serinus.analysis.sequential.settings import VerdictSettings
from serinus.cli.framework.errors import Problem
from tests.support.cli.own_command import printed

TRAFFIC = ("--requests", "200", "--rate", "0.01")


def said(*words: str, text: str = "") -> str:
    return printed("verdict", *words, text=text)


def test_a_plan_has_a_row_for_each_step_and_warns_of_short_ones(tmp_path: Path) -> None:
    svg = tmp_path / "plan.svg"
    lines = said("plan", *TRAFFIC, "--step", "10:5m", "--step", "50:40m", "--svg", str(svg)).splitlines()
    assert lines[0] == "A version that fails 3 times as often, beside 0.01 errors at 200 requests a minute:"
    assert [line.split()[:3] for line in lines[3:5]] == [["1", "10%", "5m"], ["2", "50%", "40m"]]
    warnings = [line for line in lines if line.startswith("Step")]
    assert len(warnings) == 1
    assert warnings[0].startswith("Step 1 lasts 5m; a version that fails 3 times as often is found within it in 1")
    names = [one.text for one in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "step 2 (50%)" in names


@pytest.mark.long
def test_the_same_seed_is_the_same_plan() -> None:
    assert said("plan", *TRAFFIC) == said("plan", *TRAFFIC)


def test_a_plan_agrees_with_what_the_process_was_measured_to_do() -> None:
    """20 and 180 requests a minute, 3 % beside 1 %: 99 % within an hour, half of them within a quarter of one."""
    times = times_to_harm(VerdictSettings(), ExpectedTraffic(200, 0.01, 60), 0.1, 3.0, Random(3).random)
    assert times.within(3600) >= 0.95
    half = times.by(0.5)
    assert half is not None
    assert 10 * 60 <= half <= 22 * 60


def test_more_steps_find_more() -> None:
    steps = [(0.1, 300.0), (0.3, 300.0), (0.5, 300.0)]
    found = found_by_step(VerdictSettings(), ExpectedTraffic(200, 0.01), steps, 3.0, Random(3).random)
    assert found == sorted(found)
    assert found[2] > found[0] + 0.2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--requests", "0", "--rate", "0.01"), "--requests must be above 0"),
        (("--requests", "1", "--rate", "1"), "--requests must be above 0, and --rate between 0 and 1"),
        ((*TRAFFIC, "--step", "10"), "--step 10: write the weight in percent"),
        ((*TRAFFIC, "--step", "100:5m"), "--step 100:5m: write the weight in percent"),
        ((*TRAFFIC, "--step", "10:soon"), "--step 10:soon: "),
        ((*TRAFFIC, "--interval", "0"), "--interval: the time must be above 0"),
        ((*TRAFFIC, "--ratio", "1"), "--ratio 1 is not above --tolerated 1"),
    ],
)
def test_what_cannot_be_planned_names_its_flag(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(Problem) as caught:
        said("plan", *words)
    assert caught.value.message.startswith(message)


def past(*errors: int) -> str:
    return "".join(f"[100, {count // 9}, 900, {count}]\n" for count in errors)


def test_calibration_measures_bursts() -> None:
    told: dict[str, Any] = json.loads(said("calibrate", "--window", "20", text=past(*[0, 20] * 50)))
    assert told["dispersion"] == pytest.approx(10 * 100 / 99, abs=0.001)
    assert (told["looks"], told["windows"], told["bound"]) == (100, 5, 0.05)
    assert told["falseAbortsWithDispersion"] == 0


def test_too_few_looks_are_no_calibration() -> None:
    with pytest.raises(Problem, match="9 looks are too few"):
        said("calibrate", text=past(*[1] * 9))


def template(tmp_path: Path, provider: str, query: str) -> str:
    """The file of an AnalysisTemplate whose two queries count with this provider."""
    side = {"requests": query, "errors": query}
    counts = {provider: {}, "canary": side, "stable": side}
    metric = {
        "name": "errors",
        "interval": "30s",
        "provider": {"plugin": {"serinus.dev/sequential": {"counts": counts}}},
    }
    file = tmp_path / "errors.yaml"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AnalysisTemplate",
                "metadata": {"name": "errors"},
                "spec": {"metrics": [metric]},
            }
        )
    )
    return str(file)


def test_a_calibration_reads_credentials_from_the_controllers_secrets(tmp_path: Path) -> None:
    file = template(tmp_path, "newRelic", "SELECT count(*) FROM Transaction")
    with pytest.raises(Problem) as caught:
        said("calibrate", "-f", file, "--controller-namespace", "rollouts", "--kubeconfig", str(tmp_path / "none"))
    assert caught.value.message.startswith(
        "metric errors: counts.canary.requests: Secret rollouts/newrelic cannot be read: "
    )


def test_a_calibration_with_credentials_of_the_environment_needs_no_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("DD_API_KEY", "a"), ("DD_APP_KEY", "b"), ("DD_ADDRESS", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, value)
    file = template(tmp_path, "datadog", "sum:errors{*}")
    with pytest.raises(Problem, match="metric errors: counts") as caught:
        said("calibrate", "-f", file, "--kubeconfig", str(tmp_path / "none"))
    assert "127.0.0.1:9" in caught.value.message
    assert "Secret" not in caught.value.message


def test_a_calibration_without_a_past_names_the_providers_that_keep_one(tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"counts\.wavefront: has no queries of the past here: -f reads them from prometheus,"
    ):
        said("calibrate", "-f", template(tmp_path, "wavefront", "ts(x)"))
