"""Command lines that kubectl accepts have the same meaning here."""

from __future__ import annotations

import shlex

import pytest

from serinus.cli.framework.commandline import Call, understand
from serinus.cli.framework.flags import UsageProblem
from serinus.cli.rollouts import program


def typed(line: str) -> Call:
    return understand(program(), line.split())


@pytest.mark.parametrize(
    ("line", "path", "args", "given"),
    [
        ("status web", "status", ["web"], {}),
        ("status web --watch=false", "status", ["web"], {"watch": False}),
        ("status --watch=false -t 5s web", "status", ["web"], {"watch": False, "timeout": "5s"}),
        ("get rollout --watch web", "get rollout", ["web"], {"watch": True}),
        ("get rollout -w web", "get rollout", ["web"], {"watch": True}),
        ("get ro web -wn prod", "get rollout", ["web"], {"watch": True, "namespace": "prod"}),
        ("get rollouts web -nprod", "get rollout", ["web"], {"namespace": "prod"}),
        ("-n prod get ro web", "get rollout", ["web"], {"namespace": "prod"}),
        ("get -n=prod ro web", "get rollout", ["web"], {"namespace": "prod"}),
        ("--context=a list ro -A", "list rollouts", [], {"context": "a", "all-namespaces": True}),
        ("promote web -ca", "promote", ["web"], {"skip-current-step": True, "skip-all-steps": True}),
        ("abort a b -- -c", "abort", ["a", "b", "-c"], {}),
        ("create -f a -f b", "create", [], {"filename": ["a", "b"]}),
        ("create ar --from t -a x=1", "create analysisrun", [], {"from": "t", "argument": ["x=1"]}),
        ("pause a --as-group g --as-group h", "pause", ["a"], {"as-group": ["g", "h"]}),
    ],
)
def test_flags_may_stand_anywhere_and_be_written_in_every_way(
    line: str, path: str, args: list[str], given: dict[str, object]
) -> None:
    call = typed(line)
    assert (" ".join(call.target.path), call.args, call.given) == (path, args, given)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prmote web", 'unknown command "prmote" for "kubectl-argo-rollouts"\nDid you mean promote?'),
        ("promote web --ful", "unknown flag: --ful\nDid you mean --full?"),
        ("promote web -x", "unknown shorthand flag: 'x' in -x"),
        ("promote web -n", "flag needs an argument: 'n' in -n"),
        ("promote web --namespace", "flag needs an argument: --namespace"),
        ("status web --watch=maybe", 'invalid argument "maybe" for "--watch" flag'),
        ("undo web --to-revision two", 'invalid argument "two" for "--to-revision" flag'),
    ],
)
def test_a_slip_of_the_keyboard_is_named_with_what_was_meant(line: str, message: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        typed(line)
    assert problem.value.message.startswith(message)


PROMOTE = "Usage:\n  kubectl argo rollouts promote ROLLOUT [flags]\nMore: kubectl argo rollouts promote --help"
GET = "Commands: get experiment, get rollout"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("promote", f"missing argument: promote needs ROLLOUT\n{PROMOTE}"),
        ("promote a b", f"too many arguments: promote takes ROLLOUT, found a b\n{PROMOTE}"),
        ("set image web", "missing argument: set image needs ROLLOUT CONTAINER=IMAGE, found web\n"),
        ("version x", "too many arguments: version takes none, found x\n"),
        ("get", f"missing command after get\n{GET}"),
        ("get -n prod", f"missing command after get\n{GET}"),
        ("get rolout x", f'unknown command "get rolout"\nDid you mean: kubectl argo rollouts get rollout x\n{GET}'),
        ("get shop", f'unknown command "get shop"\nDid you mean: kubectl argo rollouts get rollout shop\n{GET}'),
        ("retry shop", 'unknown command "retry shop"\nDid you mean: kubectl argo rollouts retry rollout shop\n'),
        ("list shop", 'unknown command "list shop"\nDid you mean: kubectl argo rollouts list rollouts --name shop\n'),
        ("create ar2 --from t", 'unknown command "create ar2"\nDid you mean: kubectl argo rollouts create analysisrun --from t\n'),
        ("set web", 'unknown command "set web"\nCommands: set image'),
        # the flags of an unknown command are not checked, and stay in the suggested command
        (
            "-n prod get shop -w --context dev",
            'unknown command "get shop"\nDid you mean: kubectl argo rollouts get rollout shop -n prod -w --context dev\n',
        ),
        ("promte web --full", 'unknown command "promte" for "kubectl-argo-rollouts"\nDid you mean promote?'),
        # values that are none
        ("version --loglevel zz", 'invalid argument "zz" for "--loglevel" flag: write one of trace, debug, info, '),
        ("version --exit-codes=zz", 'invalid argument "zz" for "--exit-codes" flag: write one of plain, detailed'),
        ("history web -o zz", 'invalid argument "zz" for "-o, --output" flag: write one of table, json'),
        ("why web -o zz", 'invalid argument "zz" for "-o, --output" flag: write one of json, line'),
    ],
)  # fmt: skip
def test_what_is_incomplete_or_too_much_is_named_with_the_way_to_type_it(line: str, message: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        typed(line)
    assert problem.value.message.startswith(message)
    assert problem.value.usage is None


def test_without_any_command_all_are_shown() -> None:
    with pytest.raises(UsageProblem) as problem:
        typed("")
    assert problem.value.usage is not None


@pytest.mark.parametrize("level", ["debug", "INFO", "warning"])
def test_levels_of_kubectl_are_taken(level: str) -> None:
    assert typed(f"version --loglevel {level}").text("loglevel") == level.lower()


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("promote web", "kubectl argo rollouts get rollout web"),
        ("promote web -n prod", "kubectl argo rollouts get rollout web -n prod"),
        ("promote web --context a --kubeconfig 'x y'", "kubectl argo rollouts get rollout web --kubeconfig 'x y' --context a"),
        ("promote web --as me --as-group g --as-group h", "kubectl argo rollouts get rollout web --as me --as-group g --as-group h"),
        (
            "promote web --server https://a --token secret --insecure-skip-tls-verify",
            "kubectl argo rollouts get rollout web --server https://a --insecure-skip-tls-verify",
        ),
        ("promote web --full --revision 3", "kubectl argo rollouts get rollout web"),
    ],
)  # fmt: skip
def test_the_command_of_a_hint_acts_where_the_user_is(line: str, again: str) -> None:
    """Without the namespace and the context it would act elsewhere; a secret is not repeated."""
    assert understand(program(), shlex.split(line)).again("get", "rollout", "web") == again


def test_every_row_of_the_table_has_its_command() -> None:
    for row in program().rows:
        if row.module:
            assert understand(program(), [*row.path, "--help"]).target.command is not None
