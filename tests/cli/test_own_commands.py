"""The commands of `serinus` alone have the command lines and the help of `kubectl argo rollouts`."""

from __future__ import annotations

import pytest

from serinus.cli.framework.commandline import understand
from serinus.cli.main import own_program
from tests.support.cli.own_command import invoke

ROWS = own_program().rows


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row.path))
def test_help_has_the_layout_of_all_commands_and_each_shown_flag(row: object) -> None:
    path = getattr(row, "path", ())
    done = invoke(*path, "--help")
    command = understand(own_program(), [*path, "--help"]).target.command
    assert command is not None
    assert (done.exit_code, done.output.split("\n\n")[0]) == (0, command.about.split("\n\n")[0])
    assert f"\nUsage:\n  serinus {' '.join(path)}" in done.output
    assert "  -h, --help" in done.output.partition("\nFlags:\n")[2]
    for flag in command.flags:
        assert (f"--{flag.name}" in done.output) != flag.hidden, flag.name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("up --prot 1", "unknown flag: --prot\nDid you mean --port?\n"),
        ("up --port 70000", 'invalid argument "70000" for "--port" flag: write a whole number from 0 to 65535\n'),
        ("up --port x", 'invalid argument "x" for "--port" flag: write a whole number from 0 to 65535\n'),
        ("up now", "too many arguments: up takes none, found now\nUsage:\n  serinus up [flags]\n"),
        ("demo --rate 0", 'invalid argument "0" for "--rate" flag: write a number from 1 to 1000\n'),
        ("demo --rate nan", 'invalid argument "nan" for "--rate" flag: write a number from 1 to 1000\n'),
        ("demo --prometheus none", "--prometheus is asked with --analysis only: add --analysis\n"),
        ("install --replicas 0", 'invalid argument "0" for "--replicas" flag: write a whole number of 1 or more\n'),
        ("status -o yaml", 'invalid argument "yaml" for "-o, --output" flag: write one of text, json\n'),
        ("eval", "missing argument: eval needs CONDITION\n"),
        ("verdict plna", 'unknown command "verdict plna"\nDid you mean: serinus verdict plan\n'),
        ("verdict plan --rate 0.1", "missing flag: verdict plan needs --requests\n"),
        ("verdict --budget x", 'invalid argument "x" for "--budget" flag: write a number\n'),
        ("verdict report /nowhere", "/nowhere is no file: save objects there with kubectl get -o json\n"),
        ("migrate-routes -f x", "missing flag: migrate-routes needs --gateway\n"),
        ("migrate-routes --gateway x", "missing flag: migrate-routes needs --filename\n"),
        ("migrate-routes -f x --check a", "flag needs 2 arguments: --check INGRESS_URL GATEWAY_URL\n"),
        ("controller --leader-elect=maybe", 'invalid argument "maybe" for "--leader-elect" flag: write true or false\n'),
        ("controller --leader-election-retry-period x", 'invalid argument "x" for "--leader-election-retry-period" flag'),
    ],
)  # fmt: skip
def test_an_invalid_command_line_ends_with_2_and_names_the_fault(line: str, said: str) -> None:
    done = invoke(*line.split())
    assert done.exit_code == 2
    assert done.output.startswith(f"Error: {said}")


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("up", "dashboard-port", None),
        ("up --dashboard-port 0", "dashboard-port", 0),
        ("up", "port", 8080),
        ("demo --rate 5", "rate", 5.0),
        ("controller", "leader-election-retry-period", 0.5),
        ("controller --leader-election-lease-duration=15s", "leader-election-lease-duration", 15.0),
        ("controller --metricsport=1", "metricsPort", 1),
        ("controller --leader-elect=false", "leader-elect", False),
        ("migrate-routes -f x --check a b", "check", ["a", "b"]),
        ("verdict --budget 0.02 plan --requests 1 --rate 0.1", "budget", 0.02),
        ("status -o JSON", "output", "json"),
    ],
)
def test_a_flag_has_a_value_of_its_type(line: str, name: str, value: object) -> None:
    assert understand(own_program(), line.split()).value(name) == value


def test_definitions_are_left_out_of_an_installation() -> None:
    assert "kind: CustomResourceDefinition" in invoke("install", "--crds").output
    assert "kind: CustomResourceDefinition" not in invoke("install", "--no-crds").output
