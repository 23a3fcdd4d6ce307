"""`serinus dashboard-server`: the errors of wrong settings, and its page in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.cli import dashboard_server
from tests.support.cli.own_command import invoke

PAGE = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
CONNECTION = {flag.name for flag in dashboard_server.CONNECTION}


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--url", "http://rollouts.example.com"], "must begin with https://"),
        (["--url", "rollouts"], "is no address of a dashboard"),
        (["--proxy-address", "10.0.0.0/8"], "--proxy-address and --proxy-secret-file belong together"),
        (["--proxy-secret-file", "SECRET"], "--proxy-address and --proxy-secret-file belong together"),
        (["--proxy-address", "10.0.0.1/8", "--proxy-secret-file", "SECRET"], "has host bits set"),
        (["--proxy-address", "10.0.0.0/8", "--proxy-secret-file", "SHORT"], "at least 32 characters"),
        (["--cookie-key-file", "/nowhere/keys"], "/nowhere/keys cannot be read"),
        (["--oidc-issuer", "https://login.example.com"], "--oidc-issuer and --oidc-client-id belong together"),
        (["--oidc-issuer", "http://login.example.com", "--oidc-client-id", "a"], "must begin with https://"),
        (["--session-minutes", "2000"], "--session-minutes must be 1 to 1440"),
        (["--server", "http://127.0.0.1:1"], "must have an https:// address"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(flags: list[str], why: str, tmp_path: Path) -> None:
    for name, content in (("SECRET", "s" * 40), ("SHORT", "short")):
        (tmp_path / name).write_text(content)
        flags = [str(tmp_path / name) if flag == name else flag for flag in flags]
    done = invoke("dashboard-server", *flags, *([] if "--server" in flags else ["--server", "https://127.0.0.1:1"]))
    assert done.exit_code != 0
    assert why in done.output


@pytest.mark.parametrize("flag", [f.name for f in dashboard_server.COMMAND.flags if f.name not in CONNECTION])
def test_each_flag_is_in_the_documentation(flag: str) -> None:
    assert f"`--{flag}" in PAGE or f", `--{flag}" in PAGE
