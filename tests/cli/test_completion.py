"""Shells ask for what may come next, and commands ask clusters: both without importing anything slow."""

from __future__ import annotations

import subprocess
import sys

from cli_cluster import Space, rollout

HEAVY = (
    *("aiohttp", "rich", "jinja2", "click", "msgspec", "asyncio", "cryptography", "serinus.local", "serinus.engine"),
    *("dataclasses", "inspect", "difflib", "subprocess", "tempfile", "logging"),
)


def imported(*argv: str, env: dict[str, str] | None = None) -> tuple[set[str], str]:
    """Heavy modules that a command imports, and what it prints."""
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
        ["promote", "web"],
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
        "prom": "promote\tGo on with an update: end its pause, or skip all that is left of it\n:4\n",
        "get ro": "rollout\tShow a Rollout with its ReplicaSets, pods, experiments and analyses\n:4\n",
        "status web --tim": "--timeout\tGive up after this time, such as 60s or 1h; 0 for never\n:4\n",
        "lint -f ": ":0\n",
        "completion z": "zsh\n:4\n",
    }
    for line, expected in cases.items():
        _, printed = imported("kubectl-argo-rollouts", "__complete", "-n", space.name, *line.split(" "))
        assert printed == expected


def test_serinus_completes_its_own_commands_and_flags_too() -> None:
    cases = {
        "sta": "status\tWhether Serinus runs here, and where\n:4\n",
        "rollouts sta": "status\tFollow a Rollout until it is done, and say how it ended\n:4\n",
        "und": "undo\tGo back to an earlier revision\n:4\n",
        "undo web --to-r": "--to-revision\tThe revision to go back to; 0 for the one before the current one\n:4\n",
        "down --h": "--help\tShow this help\n:4\n",
        "eval ": ":0\n",
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
