"""The test suite itself: it ends wherever it is started."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import side_by_side
from tests.support.cluster.network import NoNetwork, outer_network, outside, own_network
from tests.support.long import crossed, few

TESTS = Path(__file__).parent
CLOCKS = {"time", "monotonic", "now", "utcnow", "today"}
CTRL_C = "cli/test_startup.py::test_ctrl_c_ends_a_command_at_once_and_without_a_traceback"


def run(arguments: list[str], *, ignoring: signal.Signals | None = None) -> subprocess.CompletedProcess[str]:
    """Runs pytest as a user types it, whatever the run is of which this test is a part."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    def ignore() -> None:
        if ignoring is not None:
            signal.signal(ignoring, signal.SIG_IGN)

    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(
        command,
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=ignore,
        env=environment,
    )


def test_a_run_that_ignores_sigint_still_interrupts_the_commands_that_it_tests():
    """nohup and some CI runners start a run so; a test of Ctrl-C then waited for ever."""
    done = run([str(TESTS / CTRL_C)], ignoring=signal.SIGINT)
    assert "1 passed" in done.stdout, done.stdout


def test_a_test_that_hangs_fails_by_its_name(tmp_path: Path):
    (tmp_path / "test_it.py").write_text("import time\n\ndef test_that_hangs():\n    time.sleep(100)\n")
    done = run([str(tmp_path), "-c", str(TESTS.parent / "pyproject.toml"), "-o", "timeout=1", "-p", "no:cacheprovider"])
    assert "FAILED" in done.stdout
    assert "test_that_hangs - Failed: Timeout" in done.stdout, done.stdout


SIDE_BY_SIDE = """
import os
import re
import time
from pathlib import Path

import pytest

PLACE = Path(__file__).parent


def test_that_fails():
    assert PLACE.name == "nowhere"


@pytest.mark.parametrize("number", range(3))
def test_that_is_left_out(number):
    pytest.skip("nothing is there")


def test_that_hangs():
    time.sleep(100)
"""


def test_a_run_of_several_processes_names_failures_at_once_and_reasons_to_skip_at_its_end(tmp_path: Path):
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(SIDE_BY_SIDE)
    options = ["-n", "2", "-c", str(TESTS.parent / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = run([str(tmp_path), *options, "-o", "timeout=2"])
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stdout
    early, _, late = done.stdout.partition("= FAILURES =")
    assert "test_one.py::test_that_fails: AssertionError" in early, done.stdout
    assert "test_two.py::test_that_hangs: Failed: Timeout" in early, done.stdout
    assert "6 skipped: nothing is there" in late, done.stdout
    assert lines[-1].startswith("4 failed, 6 skipped"), done.stdout


def test_each_group_runs_in_one_process_and_those_in_real_time_start_first():
    file, up, own, cluster, plays, busy = (
        "tests/api/test_times.py",
        "tests/e2e/test_up.py::test_it[up]",
        "tests/e2e/test_examples.py::test_it[own]",
        "tests/cluster/test_helm.py::test_it",
        ["tests/plays/test_writes.py::test_few[walk]", "tests/plays/test_where_we_differ.py::test_it[walk: why]"],
        ["tests/e2e/test_plays.py::test_it[own]", "tests/e2e/test_plays.py::test_it[up]"],
    )
    split = "tests/sim/test_mutants.py::test_a_bug_is_found[one]"
    istio, other_gateways = "tests/gateways/test_istio.py::test_it", "tests/gateways/test_migration.py::test_it"
    groups = {
        file: [f"{file}::test_one", f"{file}::test_two[1]"],
        side_by_side.CONTROL_PLANE: [own, busy[0], cluster],
        side_by_side.INSTANCES: [busy[1], up, other_gateways],
        "play walk": plays,
        split: [split],
        side_by_side.GATEWAYS: [istio],
    }
    names = [name for members in groups.values() for name in members]
    assert {name: side_by_side.group(name) for name in names} == {
        n: g for g, members in groups.items() for n in members
    }
    for shared, wanted in (
        (True, [own, busy[0], cluster, busy[1], up, other_gateways, *plays, split, *groups[file], istio]),
        (False, [*groups[file], busy[1], up, other_gateways, *plays, split, istio, own, busy[0], cluster]),
    ):
        assert sorted(names, key=lambda name: side_by_side.place(name, shared=shared)) == wanted


def test_a_process_in_a_network_of_its_own_can_work_in_the_one_that_it_left():
    """Tests of the package registry would be skipped in it."""

    def network() -> str:
        return os.readlink("/proc/thread-self/ns/net")

    # An earlier test of this process may have moved it already: the network that it left is then another one.
    first, left = network(), outside(network)
    try:
        with own_network():
            own = network()
            with outer_network():
                assert network() == left
            assert network() == own != first
    except NoNetwork as error:
        pytest.skip(str(error))
    assert network() == first


def test_a_command_that_runs_in_the_process_of_its_test_leaves_the_umask_to_the_next(tmp_path: Path):
    """An image that a later test unpacked with it had programs that its user could not read."""
    (tmp_path / "test_both.py").write_text(
        "import os\n\n\ndef test_that_is_private():\n    os.umask(0o077)\n\n\n"
        "def test_that_is_not():\n    assert os.umask(0o022) != 0o077\n"
    )
    options = ["-c", str(TESTS.parent / "pyproject.toml"), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = run([str(tmp_path), *options])
    assert "2 passed" in done.stdout, done.stdout


OF_ITS_FOLDER = ("pytest_configure", "pytest_generate_tests")
"""Hooks that act on a folder's own tests, or on none. `pytest_runtest_protocol` of any folder, for one, is called for all tests."""


def test_no_folder_of_tests_has_a_hook_that_pytest_calls_for_the_tests_of_others():
    """`tests/release` once moved each test of the run out of the network of the control plane that it used."""
    elsewhere = [
        f"{file.relative_to(TESTS)}: {found}"
        for file in TESTS.rglob("*/conftest.py")
        for found in re.findall(r"def (pytest_\w+)", file.read_text())
        if found not in OF_ITS_FOLDER
    ]
    assert elsewhere == []


def clocks_read_at_import(node: ast.AST) -> list[int]:
    """Lines that read a clock outside of a function."""
    inside = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
        inside = [each for each in (*node.args.defaults, *node.args.kw_defaults, *decorators) if each]
    own = []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
        own = [node.lineno]
    return own + [line for each in inside for line in clocks_read_at_import(each)]


def test_no_test_counts_from_the_time_of_its_import():
    """The last test of a run begins half an hour after the imports: a token that expires in ten minutes has expired."""
    assert clocks_read_at_import(ast.parse("WRONG = {'late': made(int(time.time()) + 600)}"))
    assert not clocks_read_at_import(ast.parse("WRONG = {'late': lambda: made(int(time.time()) + 600)}"))
    found = {
        str(path.relative_to(TESTS)): clocks_read_at_import(ast.parse(path.read_text())) for path in TESTS.rglob("*.py")
    }
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_value_that_is_not_chosen_is_long():
    chosen, other = few(["a", "b"], ["a"])
    assert (chosen, other.values, [mark.name for mark in other.marks]) == ("a", ("b",), ["long"])
    with pytest.raises(ValueError, match="c"):
        few(["a", "b"], ["c"])


def test_of_crossed_values_each_runs_in_some_combination_and_the_other_combinations_are_long():
    made = crossed("abc", [1, 2])
    assert [one for one in made if type(one) is tuple] == [("a", 1), ("b", 2), ("c", 2)]
    long = [one for one in made if type(one) is not tuple]
    assert {one.values for one in long} == {("a", 2), ("b", 1), ("c", 1)}
    assert {mark.name for one in long for mark in one.marks} == {"long"}
