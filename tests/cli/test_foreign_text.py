"""Text that other users wrote into objects reaches the terminal only as text, in any command: the table lists all commands."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.api.resources import ARGOPROJ
from serinus.cli import main
from serinus.cli.framework.commandline import CommandRow, CommandTarget
from serinus.cli.rollouts import program
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Cluster, Result, Space, rollout
from tests.support.cli.foreign import MARKED, foreign, marked, objects

Json = dict[str, Any]


async def nothing() -> AsyncIterator[bytes]:
    for piece in ():
        yield piece


def serve(everything: bool) -> Any:
    """An API server whose every text is marked."""
    held = {plural: [marked(o, everything) for o in found] for plural, found in objects().items()}

    def answer(request: Request) -> Response:
        if request.query.get("watch") == "true":
            return Response(200, stream=nothing())
        words = request.path.strip("/").split("/")
        place = next((i for i in reversed(range(len(words))) if words[i] in held), None)
        if place is None:
            body: Json = marked({"gitVersion": "v1.34.0", "resources": [], "status": {"allowed": False}}, everything)
        elif place == len(words) - 1 and request.method == "GET":
            body = {"metadata": {"resourceVersion": "1"}, "items": held[words[place]]}
        else:
            body = next(iter(held[words[place]]), {"metadata": {"name": MARKED}})
        return Response(200, json.dumps(body).encode())

    return answer


def refuse(_: Request) -> Response:
    body = marked({"message": "no", "reason": "Forbidden", "details": {"name": "web"}}, True)
    return Response(403, json.dumps({**body, "kind": "Status", "code": 403}).encode())


def commands(file: Path) -> dict[tuple[str, ...], list[str]]:
    """Path -> arguments, for those that need others than names."""
    return {
        ("completion",): ["zsh"],
        ("create",): ["-f", str(file)],
        ("create", "analysisrun"): ["--from", "rate", "-a", f"a={MARKED}"],
        ("lint",): ["-f", str(file)],
        ("set", "image"): ["web", f"*={MARKED}"],
        ("get", "rollout"): ["web"],
        ("status",): ["web", "--timeout", "200ms"],
        ("doctor",): [],
    }


ENDLESS = {("dashboard",)}
"""Runs until it is stopped. It prints its own address."""

ROWS = [row for row in program().rows if row.module and row.path not in ENDLESS]


def given(row: CommandRow, file: Path) -> list[str]:
    command = CommandTarget(program(), row.path).command
    assert command is not None
    return commands(file).get(row.path, ["web"] * command.least)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A manifest whose every text is marked except its type."""
    path = tmp_path / "manifest.yaml"
    obj = {"apiVersion": "argoproj.io/v1alpha1", **rollout()}
    made = {**marked(obj, False), "kind": "Rollout", "apiVersion": obj["apiVersion"]}
    path.write_text(json.dumps(made))
    return path


@pytest.fixture
def hostile(space: Space, monkeypatch: pytest.MonkeyPatch) -> Space:
    monkeypatch.setenv("NO_COLOR", "1")
    return space


def outputs(row: CommandRow) -> tuple[str, ...]:
    command = CommandTarget(program(), row.path).command
    flag = next((f for f in command.flags if f.name == "output"), None) if command else None
    return () if flag is None else flag.choices or ("wide", "json", "yaml", "name")


@pytest.mark.parametrize("answer", [serve(False), serve(True), refuse], ids=["values", "everything", "refused"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.path))
def test_no_command_passes_a_control_character_on(hostile: Space, file: Path, row: CommandRow, answer: Any) -> None:
    hostile.cluster.before = answer
    words = [*row.path, *given(row, file)]
    variants = [[], *(["-o", how] for how in outputs(row))]
    if any(flag.name == "revision" for flag in CommandTarget(program(), row.path).flags):
        variants.append(["--revision", "77", "--dry-run"])
    for more in variants:
        done = hostile.run(*words, *more)
        assert foreign(done.out) == foreign(done.err) == "", (words, more)
        assert "Traceback" not in done.err
        exact(more, done)


def exact(more: list[str], done: Result) -> None:
    """As data, a text is unchanged."""
    if more[:1] != ["-o"] or more[1] not in ("json", "yaml") or done.code or not done.out:
        return
    read = json.loads(done.out) if more[1] == "json" else yaml.safe_load(done.out)
    if not read:
        return  # a list of nothing
    assert any(MARKED in text for text in texts(read))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("row", [r for r in ROWS if r.path[0] in ("get", "status")], ids=lambda row: " ".join(row.path))
def test_a_watch_passes_none_on_either(hostile: Space, row: CommandRow) -> None:
    hostile.cluster.before = serve(False)
    for seconds in (1, 10, 60):  # on a busy machine the first may be over before anything is shown
        limit = {"rollout": ["-w", "--timeout-seconds", str(seconds)], "status": ["--timeout", f"{seconds}s"]}
        done = hostile.run(*row.path, "web", *limit.get(row.path[-1], []))
        if "timeout" not in done.err or done.out:
            break
    clear = "\x1b[H\x1b[2J\x1b[0;0H"
    assert foreign(done.out.replace(clear, "")) == foreign(done.err) == ""
    assert "Status" in done.out or "Degraded" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["eval", f"x{MARKED}", "--result", "1"],
        ["eval", "true", "--result", MARKED],
        ["eval", "-"],
        ["verdict"],
        ["status", "--data", f"/nowhere{MARKED}"],
        ["status", "--data", f"/nowhere{MARKED}", "-o", "json"],
        ["down", "--data", f"/nowhere{MARKED}"],
        ["reset", "--yes", "--data", f"/nowhere{MARKED}"],
        ["upgrade", "--check"],
        ["upgrade", "--check", "-o", "json"],
        ["install", f"--{MARKED}"],
        [f"x{MARKED}"],
        ["list", "rollouts", f"--{MARKED}"],
        ["up", "--runtime", MARKED],
        ["demo", f"--{MARKED}"],
        ["migrate-routes", "--gateway", MARKED, "-f", "-"],
        ["migrate-routes", "--gateway", "gw", "-f", f"/nowhere{MARKED}"],
        ["controller", "--loglevel", MARKED],
        ["node", "--kubeconfig", f"/nowhere{MARKED}"],
        ["dashboard-server", "--url", f"https://{MARKED}"],
        ["dashboard-server", "--cookie-key-file", f"/nowhere{MARKED}"],
    ],
    ids=lambda words: " ".join(words)[:12].encode("ascii", "replace").decode(),
)
def test_the_instance_s_own_commands_do_not_either(
    cluster: Cluster, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    # The commands' standard input has it too.
    look = {"canary": {"requests": 9, "errors": 1}, "stable": {"requests": 9, "errors": 1}}
    lines = json.dumps({**look, "condition": MARKED, "result": MARKED, "note": MARKED}, ensure_ascii=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode() + b"\n")))
    monkeypatch.setattr(sys, "argv", ["serinus", *words])
    monkeypatch.setattr(cluster, "before", refuse)
    with pytest.raises(SystemExit):
        main.main()
    said = capsys.readouterr()
    assert said.out + said.err
    assert foreign(said.out) == foreign(said.err) == ""


def test_every_kind_of_ours_is_marked_here() -> None:
    assert {resource.plural for resource in ARGOPROJ} <= set(objects())


def test_every_own_command_is_tried_here() -> None:
    this = Path(__file__).read_text()
    missing = [row.path[0] for row in main.own_program().rows if f'["{row.path[0]}"' not in this]
    assert not missing, f"add words for {missing} to the test above"
