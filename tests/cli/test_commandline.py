"""What users of kubectl type is understood as kubectl would."""

from __future__ import annotations

import pytest

from serinus.cli.commandline import Call, UsageProblem, understand
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
    assert (" ".join(call.found.path), call.args, call.given) == (path, args, given)


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


@pytest.mark.parametrize("line", ["", "get", "get pods", "retry", "set web", "promote", "promote a b", "set image web"])
def test_what_is_incomplete_shows_how_it_is_used(line: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        typed(line)
    assert problem.value.usage is not None


def test_every_row_of_the_table_has_its_command() -> None:
    for row in program().rows:
        if row.module:
            assert understand(program(), [*row.path, "--help"]).found.command is not None
