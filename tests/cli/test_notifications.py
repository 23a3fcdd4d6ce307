"""`notifications`: triggers and templates of a configuration, tried on a Rollout in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli.cli_cluster import Space, rollout, run

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argo-rollouts-notification-configmap}
data:
  service.webhook.hook: "url: http://127.0.0.1:9/\\nheaders: [{name: A, value: $tok}]"
  template.t1: "message: '{{.rollout.metadata.name}} is {{.rollout.status.phase}}'"
  template.t2: "webhook: {hook: {body: '{{.recipient}}'}}"
  trigger.on-a: "- send: [t1, t2]"
  trigger.on-purple: "- when: rollout.status.phase == 'Healthy'\\n  send: [t1]\\n- when: 'false'\\n  send: [t2]"
---
apiVersion: v1
kind: Secret
metadata: {name: argo-rollouts-notification-secret}
stringData: {tok: s3cret-token}
"""
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: web
  annotations: {notifications.argoproj.io/subscribe.on-a.hook: "x,y"}
status: {phase: Healthy}
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "cm.yaml").write_text(CONFIG)
    (tmp_path / "ro.yaml").write_text(ROLLOUT)
    return str(tmp_path / "cm.yaml"), str(tmp_path / "ro.yaml")


def test_get_and_run(files: tuple[str, str]) -> None:
    config, rollout = files
    given = ("--config-map", config, "--secret", config)
    assert run("notifications", "trigger", "get", *given).out == (
        "NAME       TEMPLATE  CONDITION\n"
        "on-a       t1, t2\n"
        "on-purple  t1        rollout.status.phase == 'Healthy'\n"
        "           t2        false\n"
    )
    assert run("notifications", "trigger", "run", "on-purple", rollout, *given).out == (
        "NAME       CONDITION                          RESULT\n"
        "on-purple  rollout.status.phase == 'Healthy'  true\n"
        "           false                              false\n"
    )
    assert run("notifications", "template", "get", "-o", "name", *given).out == "t1\nt2\n"
    assert run("notifications", "template", "notify", "t1", rollout, *given).out == "message: web is Healthy\n"
    sent = run("notifications", "send", "on-a", rollout, "--dry-run", *given)
    assert sent.out == "# to hook:x,y\nmessage: web is Healthy\nwebhook:\n  hook:\n    body: x,y\n"


def test_failures_have_an_exit_code_and_no_secret(files: tuple[str, str]) -> None:
    config, rollout = files
    given = ("--config-map", config, "--secret", config)
    for words, said in (
        (("trigger", "run", "nope", rollout), "trigger with name 'nope' does not exist (found on-a, on-purple)"),
        (("template", "notify", "nope", rollout), "template with name 'nope' does not exist (found t1, t2)"),
        (("template", "notify", "t1", rollout, "--recipient", "slack:x"), "service with name 'slack' does not exist"),
        (("template", "notify", "t1", rollout, "--recipient", "hook:x"), "failed to notify 'hook:x': 127.0.0.1:9"),
        (("template", "notify", "t1"), "ROLLOUT|FILE"),
    ):
        result = run("notifications", *words, *given)
        assert result.code == 1, words
        assert said in result.err
        assert "s3cret" not in result.out + result.err


def test_lint(files: tuple[str, str], tmp_path: Path) -> None:
    config, rollout = files
    warned = run("notifications", "lint", "--config-map", config, "--secret", config, rollout)
    assert warned.code == 0
    assert "'x,y' is one recipient: recipients are separated by ';'" in warned.out
    (tmp_path / "bad.yaml").write_text(CONFIG.replace("{{.rollout.status.phase}}", "{{.a[0]}}"))
    broken = run("notifications", "lint", "--config-map", str(tmp_path / "bad.yaml"))
    assert broken.code == 1
    assert "error: template.t1: message: line 1: bad character U+005B '['" in broken.out
    assert "warning: service.webhook.hook: the Secret has no key tok" in broken.out


def test_history_lists_what_waits(space: Space) -> None:
    pending = '[{"t":"on-rollout-paused","i":0,"s":"slack","r":"ops","a":1767225600}]'
    made = rollout()
    made["metadata"]["annotations"] = {"notifications.serinus.dev/pending": pending}
    space.put(made)
    result = space.run("notifications", "history", "web")
    assert result.code == 0
    assert "on-rollout-paused waits to be sent to slack:ops" in result.out
