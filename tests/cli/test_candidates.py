"""Completion offers words that a shell reads as one word, for any name of objects and contexts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.cli.framework.complete import complete
from serinus.cli.rollouts import program
from serinus.kube.transport import Request, Response
from tests.support.cli.cli_cluster import Space
from tests.support.cli.foreign import MARKED, foreign, objects

Json = dict[str, Any]

CANDIDATES = [
    ["promote", ""],
    ["get", "experiment", ""],
    ["set", "image", "web", ""],
    ["status", "web", "--namespace", ""],
    ["status", "web", "--context="],
    ["status", "web", "--user", ""],
    ["create", "analysisrun", "--from", ""],
]
HARMFUL = [
    "a;reboot",
    "$(reboot)",
    "`reboot`",
    "a b",
    "a\nb",
    "a|b",
    "a&b",
    ">a",
    "~a",
    "a'b",
    'a"b',
    "a\\b",
    "!a",
    "{a,b}",
    ":4",
]


@pytest.mark.parametrize("words", CANDIDATES, ids=lambda words: " ".join(words))
def test_a_candidate_is_one_word_for_every_shell(
    space: Space, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell may put a candidate on the command line unchanged."""
    config: Json = yaml.safe_load(space.cluster.kubeconfig.read_text())
    for section, inner in (("contexts", "context"), ("users", "user")):
        config[section] += [{"name": name, inner: config[section][0][inner]} for name in (*HARMFUL, MARKED)]
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    held = objects()

    def answer(request: Request) -> Response:
        plural = next(word for word in reversed(request.path.split("/")) if word in held)
        whole = held[plural][0]
        named = [{**whole, "metadata": {**whole["metadata"], "name": name}} for name in ("good", *HARMFUL, MARKED)]
        containers = [{"name": name, "image": f"a\n{MARKED}"} for name in ("good", *HARMFUL, MARKED)]
        if plural == "rollouts":
            for one in named:
                one["spec"] = {**one["spec"], "template": {"spec": {"containers": containers}}}
        return Response(200, json.dumps({"items": named}).encode())

    space.cluster.before = answer
    done = complete(program(), ["-n", space.name, *words])
    lines = done.splitlines()
    assert foreign(done) == ""
    assert lines[-1] in (":4", ":6")
    found = [line.partition("\t")[0] for line in lines[:-1]]
    expected = {"--context=serinus", "--context=:4"} if words[-1] == "--context=" else {"good", "good=", "serinus"}
    assert found
    assert set(found) <= expected
