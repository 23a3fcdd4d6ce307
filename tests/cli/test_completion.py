"""Shells query completions, and commands query clusters: both without a slow import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.cli.cli_cluster import Space, rollout
from tests.support.cli.refusals import refuse

HEAVY = (
    *("aiohttp", "rich", "jinja2", "click", "msgspec", "asyncio", "cryptography", "serinus.local", "serinus.engine"),
    *("dataclasses", "inspect", "difflib", "subprocess", "tempfile", "logging"),
)


def imported(*argv: str, env: dict[str, str] | None = None) -> tuple[set[str], str]:
    """Heavy modules that a command imports, and its output."""
    code = (
        "import sys; from serinus.cli import main; sys.argv = sys.argv[1:]\n"
        "try:\n main.serinus() if sys.argv[0] == 'serinus' else main.rollouts()\n"
        "except SystemExit: pass\n"
        f"print('heavy:' + '|'.join(m for m in {HEAVY!r} if m in sys.modules))"
    ).replace("main.serinus", "main.main")
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60, check=True, env=env
    )
    printed, _, last = done.stdout.rpartition("heavy:")
    return {name for name in last.strip().split("|") if name}, printed


def test_reading_from_a_cluster_imports_nothing_heavy(space: Space) -> None:
    space.put(rollout())
    for command in (
        ["list", "rollouts"],
        ["get", "rollout", "web"],
        ["status", "web"],
        ["restart", "web"],
    ):
        heavy, printed = imported("kubectl-argo-rollouts", *command, "-n", space.name)
        assert not heavy, command
        assert "web" in printed or "Healthy" in printed
    heavy, printed = imported("kubectl-argo-rollouts", "__complete", "-n", space.name, "promote", "")
    assert (heavy, printed) == (set(), "web\tHealthy\n:4\n")


def test_completion_offers_live_names_flags_and_commands(space: Space) -> None:
    space.put(rollout("checkout"))
    space.put(rollout("cart"))
    assert space.run("completion", "bash").out.startswith("_kubectl_argo_rollouts()")
    cases = {
        "promote ch": "checkout\tHealthy\n:4\n",
        "prom": "promote\tPromote a rollout: end the current pause, or skip the current step\n:4\n",
        "get ro": "rollout\tShow a Rollout with its ReplicaSets, pods, experiments and analyses\n:4\n",
        "status web --tim": "--timeout\tGive up after this time, such as 60s or 1h; 0 for never\n:4\n",
        "lint -f ": ":0\n",
        "completion z": "zsh\n:4\n",
        "history cart -o ": "table\njson\n:4\n",
        "status cart --loglevel d": "debug\n:4\n",
    }
    for line, expected in cases.items():
        _, printed = imported("kubectl-argo-rollouts", "__complete", "-n", space.name, *line.split(" "))
        assert printed == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("status web --context ", "serinus\n:4\n"),
        ("status web --context=s", "--context=serinus\n:4\n"),
        ("status web --user ", "serinus\n:4\n"),
        ("status web --until p", "paused\n:4\n"),
        ("get rollout web -o y", "yaml\n:4\n"),
        ("status web --exit-codes=", "--exit-codes=plain\n--exit-codes=detailed\n:4\n"),
        ("set image web ", "web=\tweb:1\n:6\n"),
        ("set image nowhere ", ":6\n"),
        ("create analysisrun --from ", "rate\n:4\n"),
        ("create analysisrun --name ", ":4\n"),
        ("create analysisrun --from-file ", ":0\n"),
        ("list rollouts --name w", "web\tHealthy\n:4\n"),
        ("abort web ", "api\tHealthy\n:4\n"),
        ("promote web ", ":4\n"),
        ("promote --kubeconfig nowhere ", ":4\n"),
        ("promote --revision ", ":4\n"),
        ("promote --what ", ":4\n"),
    ],
)
def test_values_of_flags_and_containers_are_completed_too(space: Space, line: str, expected: str) -> None:
    space.put(rollout("web"))
    space.put(rollout("api"))
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    space.put({"kind": "AnalysisTemplate", "metadata": {"name": "rate"}, "spec": {"metrics": [metric]}})
    _, printed = imported("kubectl-argo-rollouts", "__complete", "-n", space.name, *line.split(" "))
    assert printed == expected


def test_a_refusal_leaves_no_candidates_and_no_words(space: Space) -> None:
    space.cluster.before = lambda _: refuse(403, "Forbidden", "no")
    _, printed = imported("kubectl-argo-rollouts", "__complete", "-n", space.name, "promote", "")
    assert printed == ":4\n"


def test_serinus_completes_its_own_commands_and_flags_too() -> None:
    cases = {
        "sta": "status\tWhether Serinus runs here, and where\n:4\n",
        "rollouts sta": "status\tFollow a Rollout until it is done, and say how it ended\n:4\n",
        "und": "undo\tGo back to an earlier revision\n:4\n",
        "undo web --to-r": "--to-revision\tThe revision to go back to; 0 for the one before the current one\n:4\n",
        "down --h": "--help\tShow this help\n:4\n",
        "eval ": ":4\n",
        "install --no": "--no-crds\tWithout the CustomResourceDefinitions\n:4\n",
        "up --runtime d": "docker\n:4\n",
        "up --image-map ": ":0\n",
        "down --data ": ":0\n",
        "up --ready": ":4\n",
        "verdict p": "plan\tHow long steps must be to find harm\n:4\n",
        "verdict report ": ":0\n",
    }
    for line, expected in cases.items():
        done = subprocess.run(
            [sys.executable, "-c", "from serinus.cli.main import main; main()", "__complete", *line.split(" ")],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout == expected, line


def test_serinus_status_offers_rollouts_and_its_own_flags(space: Space) -> None:
    space.put(rollout("cart"))
    assert imported("serinus", "__complete", "-n", space.name, "status", "")[1] == "cart\tHealthy\n:4\n"
    assert "--data" in imported("serinus", "__complete", "status", "--d")[1]
