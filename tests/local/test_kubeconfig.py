"""`up --kubeconfig FILE` in a user's kubeconfig: one entry is added and removed, all others stay."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from serinus.api.yaml.reader import load
from serinus.local import kubeconfig
from serinus.local.cannot_run import CannotRun
from serinus.local.kubeconfig import AddedContext, ClusterAccess, add, read, remove, with_entry, without_entry
from tests.support.instance.live import BIN, Instance
from tests.support.local.other_user import STRANGER, needs_root

OURS = ClusterAccess("https://127.0.0.1:6443", "PEM", "secret")
OTHER = ClusterAccess("https://127.0.0.1:6444", "another PEM", "other")
THEIRS = """\
apiVersion: v1
kind: Config
# the one at work
clusters:
- {name: work, cluster: {server: "https://work.example", certificate-authority: work.crt, extensions: [{name: x, extension: {a: 0o14}}]}}
contexts:
- {name: work, context: {cluster: work, user: me, namespace: shop}}
- {name: home, context: {cluster: work, user: me}}
current-context: home
preferences: {colors: true}
users:
- name: me
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], env: [{name: A, value: "1e3"}]}
    auth-provider: {name: oidc, config: {expiry: 2024-01-02 03:04:05}}
"""


def kubectl(file: Path, *words: str) -> str:
    environment = {**os.environ, "KUBECONFIG": str(file)}
    done = subprocess.run(
        [BIN / "kubectl", "config", *words], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text(THEIRS)
    path.chmod(0o644)
    return path


def test_the_entry_becomes_current_and_all_else_stays(file: Path):
    before = json.loads(kubectl(file, "view", "--raw", "-o", "json"))
    entry = add(file, OURS)
    assert entry == AddedContext("serinus", "home")
    assert file.stat().st_mode & 0o777 == 0o600
    assert kubectl(file, "current-context") == "serinus"
    after = json.loads(kubectl(file, "view", "--raw", "-o", "json"))
    for section in ("clusters", "contexts", "users"):
        assert [row for row in after[section] if row["name"] != "serinus"] == before[section]
        assert sum(row["name"] == "serinus" for row in after[section]) == 1
    remove(file, entry, OURS.ca_pem)
    assert json.loads(kubectl(file, "view", "--raw", "-o", "json")) == before
    assert load(file.read_bytes()) == load(THEIRS)
    assert [p.name for p in file.parent.iterdir()] == ["config"]


def test_the_same_instance_again_replaces_its_entry(file: Path):
    add(file, OURS)
    assert add(file, OURS._replace(server="https://127.0.0.1:7777")).name == "serinus"
    assert add(file, OTHER, known="serinus").name == "serinus"
    assert sum(row["name"].startswith("serinus") for row in read(file)["clusters"]) == 1


def test_another_instance_gets_a_name_of_its_own(file: Path):
    first, second = add(file, OURS), add(file, OTHER)
    assert (first.name, second.name) == ("serinus", "serinus-2")
    remove(file, first, OURS.ca_pem)
    assert [row["name"] for row in read(file)["clusters"]] == ["work", "serinus-2"]
    assert kubectl(file, "current-context") == "serinus-2"


@pytest.mark.parametrize("section", ["clusters", "contexts", "users"])
def test_a_name_that_the_user_has_is_left_alone(section: str):
    theirs: dict[str, Any] = {section: [{"name": "serinus"}]}
    changed, entry = with_entry(theirs, OURS)
    assert entry.name == "serinus-2"
    assert changed[section][0] == {"name": "serinus"}
    assert without_entry(theirs, AddedContext("serinus", ""), "x") == theirs


def test_a_context_that_was_chosen_meanwhile_stays_current(file: Path):
    entry = add(file, OURS)
    kubectl(file, "use-context", "work")
    remove(file, entry, OURS.ca_pem)
    assert kubectl(file, "current-context") == "work"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00", "no YAML"),
        (b"a: [", "no YAML"),
        (b"[]", "holds no object"),
        (b"kind: Pod", "its kind is 'Pod'"),
        (b"clusters: {a: b}", "clusters is no list"),
        (b"users: [1]", "users is no list"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named_and_left_as_it_is(file: Path, content: bytes, says: str):
    file.write_bytes(content)
    with pytest.raises(CannotRun, match=f"{file} is no kubeconfig .*{says}"):
        add(file, OURS)
    assert file.read_bytes() == content
    assert not file.with_name("config.lock").exists()


@pytest.mark.parametrize("content", [None, b"", b"# nothing\n", b"clusters: null\n", b"clusters: []\n"])
def test_a_new_or_empty_file_gets_the_entry(file: Path, content: bytes | None):
    file.unlink() if content is None else file.write_bytes(content)
    add(file, OURS)
    assert kubectl(file, "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}") == OURS.server


def test_a_link_stays_a_link(file: Path):
    link = file.with_name("link")
    link.symlink_to(file)
    add(link, OURS)
    assert link.is_symlink()
    assert "serinus" in file.read_text()


def test_a_file_that_kubectl_changes_is_waited_for(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kubeconfig, "LOCK_SECONDS", 0.0)
    lock = file.with_name("config.lock")
    lock.touch()
    with pytest.raises(CannotRun, match=f"remove {lock}"):
        add(file, OURS)
    assert lock.exists()
    assert file.read_text() == THEIRS


@needs_root
def test_the_file_of_another_user_is_refused(file: Path):
    os.chown(file, STRANGER, STRANGER)
    with pytest.raises(CannotRun, match="belongs to another user"):
        add(file, OURS)


def test_up_and_down_as_typed_also_after_a_crash(file: Path, tmp_path: Path):
    instance = Instance(tmp_path / "data")
    instance.ports += ["--kubeconfig", str(file)]
    for crash in (False, True):
        instance.up()
        try:
            assert instance.status["kubeconfig"] == str(file)
            assert "serinus" in instance.shell("kubectl get nodes")
            if crash:
                os.kill(instance.status["pid"], 9)
        finally:
            instance.serinus("down")
        assert load(file.read_bytes()) == load(THEIRS)
