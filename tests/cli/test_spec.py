"""Every command of `kubectl argo rollouts` with its aliases, flags and defaults, as users of Argo Rollouts type them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from serinus.api.resources import CLUSTER_ANALYSIS_TEMPLATES
from serinus.cli.framework.commandline import understand
from serinus.cli.rollouts import CONNECTION, list_rollouts, program
from tests.support.cli.cli_cluster import Space, revisions, rollout
from tests.support.cli.refusals import refuse

COMMANDS: dict[str, tuple[str, str]] = {
    "abort": ("x y", ""),
    "pause": ("x y", ""),
    "promote": ("x", "full=False c/skip-current-step=False a/skip-all-steps=False"),
    "restart": ("x", "i/in="),
    "retry rollout": ("x y", ""),
    "retry experiment": ("x y", ""),
    "terminate analysisrun": ("x y", ""),
    "terminate experiment": ("x y", ""),
    "set image": ("x c=i", ""),
    "undo": ("x", "to-revision=0"),
    "get rollout": ("x", "w/watch=False no-color=False timeout-seconds=0"),
    "get experiment": ("x", "w/watch=False no-color=False"),
    "status": ("x", "w/watch=True t/timeout=0"),
    "list rollouts": ("", "name= A/all-namespaces=False w/watch=False timestamps=False"),
    "list experiments": ("", "A/all-namespaces=False"),
    "create": ("", "f/filename=() w/watch=False no-color=False"),
    "create analysisrun": (
        "",
        "from= from-file= global=False name= generate-name= instance-id= a/argument=()",
    ),
    "lint": ("", "f/filename="),
    "dashboard": ("", "root-path=rollouts p/port=3100"),
    "completion": ("bash", ""),
    "version": ("", "short=False"),
}
"""command -> (arguments, flags as [short/]name=default)."""
ALIASES = {
    "retry rollout": "ro rollouts",
    "retry experiment": "exp experiments",
    "terminate analysisrun": "ar analysisruns",
    "terminate experiment": "exp experiments",
    "get rollout": "ro rollouts",
    "get experiment": "exp experiments",
    "list rollouts": "ro rollout",
    "list experiments": "exp experiment",
    "create analysisrun": "ar",
}
GLOBAL = (
    "kubeconfig= context= cluster= user= n/namespace= s/server= token= as= as-group=() as-uid= request-timeout= "
    "cache-dir= disable-compression=False certificate-authority= client-certificate= client-key= "
    "insecure-skip-tls-verify=False tls-server-name= v/kloglevel=0 loglevel=info"
)


def spelled(flags: str) -> set[tuple[str, str, str]]:
    """(short, name, default) of each."""
    found: set[tuple[str, str, str]] = set()
    for word in flags.split():
        name, _, default = word.partition("=")
        short, slash, long = name.rpartition("/")
        found.add((short if slash else "", long, default))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_arguments_and_flags_that_users_know(command: str) -> None:
    args, flags = COMMANDS[command]
    call = understand(program(), [*command.split(), *args.split()])
    assert call.target.path == tuple(command.split())
    assert call.target.command is not None
    have = {(flag.short, flag.name, str(flag.default)) for flag in call.target.command.flags}
    assert spelled(flags) <= have


def test_every_command_takes_kubectl_s_flags() -> None:
    assert spelled(GLOBAL) <= {(flag.short, flag.name, str(flag.default)) for flag in CONNECTION}


@pytest.mark.parametrize(("command", "aliases"), ALIASES.items())
def test_aliases_lead_to_the_same_command(command: str, aliases: str) -> None:
    *front, _ = command.split()
    for alias in aliases.split():
        found = understand(program(), [*front, alias, *COMMANDS[command][0].split()]).target
        assert found.path == tuple(command.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_one_argument_too_many_or_too_few_shows_how_it_is_used(space: Space, command: str) -> None:
    args = COMMANDS[command][0].split()
    wrong = [[]] if args else [["x"]]
    if args and args != ["x", "y"]:
        wrong.append([*args, "one-more"])
    for words in wrong:
        done = space.run(*command.split(), *words)
        assert (done.code, done.out) == (1, "")
        assert "Usage:\n" in done.err or "Commands: " in done.err
        named = ("missing argument: ", "too many arguments: ", "unknown command ", f"{command} needs ")
        assert done.err.startswith(tuple(f"Error: {text}" for text in named))
        assert len(done.err.splitlines()) <= 4


def test_the_version_is_on_the_first_line_and_alone_with_short(space: Space) -> None:
    long, short = space.run("version").out.splitlines(), space.run("version", "--short").out.splitlines()
    assert short == long[:1]
    assert short[0].startswith("kubectl-argo-rollouts: v")
    known = ["BuildDate", "GitCommit", "GitTreeState", "GoVersion", "Compiler", "Platform"]
    assert [line.partition(": ")[0] for line in long[1:]] == [f"  {name}" for name in known]


def test_create_of_what_cannot_be_watched_says_so_when_it_is_made(space: Space, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    metric = {"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}
    template = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"}}
    file.write_text(json.dumps({**template, "spec": {"metrics": [metric]}}))
    done = space.run("create", "-f", str(file), "-w")
    assert (done.code, done.out) == (1, "analysistemplate.argoproj.io/t created\n")
    assert done.err == "Error: Can only watch resources of type Rollout or Experiment\n"


def test_undo_is_refused_for_a_workload_of_another_kind(space: Space) -> None:
    reference = {"apiVersion": "v1", "kind": "Widget", "name": "w"}
    obj = rollout(spec={"workloadRef": reference})
    del obj["spec"]["template"]
    space.put(obj)
    revisions(space, "web:0", "web:1")
    done = space.run("undo", "web")
    assert (done.code, done.err) == (1, "Error: workload of type Widget is not supported\n")


def test_a_broken_list_watch_is_opened_again_until_it_fails_seven_times_in_a_row(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One second apart; a watch that received an event in between resets the count."""
    space.put(rollout())
    slept: list[float] = []
    monkeypatch.setattr(list_rollouts, "time", SimpleNamespace(time=time.time, sleep=slept.append))
    space.cluster.before = lambda request: refuse(500, "Oh", "broken") if request.query.get("watch") else None
    done = space.run("list", "rollouts", "--watch")
    assert (done.code, done.err, slept) == (1, "Error: broken\n", [1.0] * 6)
    assert done.out.splitlines()[1].startswith("web ")


def test_a_refused_undo_names_the_revision(space: Space) -> None:
    space.put(rollout())
    revisions(space, "web:0", "web:1")
    space.cluster.before = lambda request: refuse(403, "Forbidden", "no") if request.method == "PATCH" else None
    assert space.run("undo", "web", "--to-revision=1").err.startswith("Error: failed restoring revision 1: no\n")


def test_runs_come_from_files_from_templates_of_the_cluster_and_with_names_of_their_own(
    space: Space, tmp_path: Path
) -> None:
    spec = {"metrics": [{"name": "m", "provider": {"web": {"url": "http://127.0.0.1", "jsonPath": "{$}"}}}]}
    template = {"apiVersion": "argoproj.io/v1alpha1", "metadata": {"name": space.name}, "spec": spec}
    space.cluster.client.create(
        CLUSTER_ANALYSIS_TEMPLATES, "", {**template, "kind": "ClusterAnalysisTemplate"}
    )  # one for all namespaces: named after the test's own
    absent = space.run("create", "ar", "--from", f"{space.name}x", "--global")
    assert f"Did you mean {space.name}?" in absent.err
    far = space.run("create", "ar", "--from", "nothing-of-the-kind", "--global")
    assert "namespace" not in far.err.lower(), "what belongs to the cluster is in no namespace"
    assert "The cluster has" in far.err
    made = space.run("create", "ar", "--from", space.name, "--global")
    assert re.fullmatch(rf"analysisrun.argoproj.io/{space.name}-\w{{5}} created\n", made.out)
    file = tmp_path / "template.json"
    file.write_text(json.dumps({**template, "kind": "AnalysisTemplate"}))
    made = space.run("create", "analysisrun", "--from-file", str(file), "--generate-name", "once-")
    assert re.fullmatch(r"analysisrun.argoproj.io/once-\w{5} created\n", made.out)
    wrong = space.run("create", "analysisrun", "--from-file", str(file), "--global")
    assert wrong.err == f"Error: {file}: one ClusterAnalysisTemplate was expected, found AnalysisTemplate\n"


def test_several_files_are_created_in_order_until_one_fails(space: Space, tmp_path: Path) -> None:
    files: list[str] = []
    for name in ("one", "one", "two"):
        file = tmp_path / f"{len(files)}.json"
        file.write_text(json.dumps({"apiVersion": "argoproj.io/v1alpha1", **rollout(name)}))
        files += ["-f", str(file)]
    done = space.run("create", *files)
    assert (done.code, done.out) == (1, "rollout.argoproj.io/one created\n")
    assert done.err.startswith('Error: rollouts.argoproj.io "one" already exists')
