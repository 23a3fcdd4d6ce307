"""Every command of `kubectl argo rollouts` with its aliases, flags and defaults, as users of Argo Rollouts type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_cluster import Space, rollout

from serinus.cli.commandline import understand
from serinus.cli.rollouts import CONNECTION, program

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
    assert call.found.path == tuple(command.split())
    assert call.found.command is not None
    have = {(flag.short, flag.name, str(flag.default)) for flag in call.found.command.flags}
    assert spelled(flags) <= have


def test_every_command_takes_kubectl_s_flags() -> None:
    assert spelled(GLOBAL) <= {(flag.short, flag.name, str(flag.default)) for flag in CONNECTION}


@pytest.mark.parametrize(("command", "aliases"), ALIASES.items())
def test_aliases_lead_to_the_same_command(command: str, aliases: str) -> None:
    *front, _ = command.split()
    for alias in aliases.split():
        found = understand(program(), [*front, alias, *COMMANDS[command][0].split()]).found
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
        assert "Usage:\n" in done.err
        assert "Error:" not in done.err


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
    made = space.put(obj)
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": made["metadata"]["uid"]}
    for revision in (1, 2):
        labels = {"app": "web", "rollouts-pod-template-hash": f"h{revision}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
        meta = {
            "name": f"web-h{revision}",
            "labels": labels,
            "annotations": {"rollout.argoproj.io/revision": str(revision)},
            "ownerReferences": [{**owner, "controller": True}],
        }
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        space.put({"kind": "ReplicaSet", "metadata": meta, "spec": spec})
    done = space.run("undo", "web")
    assert (done.code, done.err) == (1, "Error: workload of type Widget is not supported\n")
