"""The text of `serinus up`: its commands reach the instance that was started."""

from __future__ import annotations

from serinus.cli.up import welcome

STATE = dict.fromkeys(("api", "gateway", "data", "kubeconfig"), "x") | {
    "seconds": 1.0,
    "dashboard": "http://127.0.0.1:3100/rollouts/?token=very-secret",
}


def test_every_command_names_the_directory_of_another_instance() -> None:
    text = welcome(STATE, "serinus down --data /d", told=False, option=" --data /d")
    assert "serinus status --data /d" in text
    assert "serinus down --data /d" in text


def test_only_a_terminal_gets_the_token_of_the_dashboard() -> None:
    assert "very-secret" in welcome(STATE, "Ctrl-C", told=True)
    assert "very-secret" not in welcome(STATE, "Ctrl-C", told=False)
