"""A configuration that works for kubectl works for Serinus; for any other, the error names the correction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serinus.kube.configuration.config import ConfigError, Connection, Flags, in_cluster, load


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("CA")
    (tmp_path / "token").write_text("from-file\n")
    return write(
        tmp_path / "config",
        """
apiVersion: v1
kind: Config
current-context: here
clusters:
- name: one
  cluster: {server: "https://one:6443/", certificate-authority: ca.pem, tls-server-name: kube}
- name: two
  cluster: {server: "https://two", insecure-skip-tls-verify: true}
users:
- name: alice
  user: {token: sesame, client-certificate-data: Qw==, client-key-data: Sw==}
- name: bob
  user: {token: stale, tokenFile: token}
- name: robot
  user:
    exec:
      {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [-x], env: [{name: A, value: b}]}
contexts:
- name: here
  context: {cluster: one, user: alice, namespace: shop}
- name: there
  context: {cluster: two, user: bob}
- name: machine
  context: {cluster: two, user: robot}
""",
    )


def of(file: Path, **flags: str) -> Connection:
    return load(Flags(**flags), environ={"KUBECONFIG": str(file)})  # type: ignore[arg-type]


def test_the_current_context_says_where_and_as_whom(file: Path) -> None:
    found = of(file)
    assert (found.server, found.namespace, found.context, found.token) == ("https://one:6443", "shop", "here", "sesame")
    assert (found.ca, found.tls_server_name, found.client_certificate, found.client_key) == (b"CA", "kube", b"C", b"K")


def test_flags_beat_the_file(file: Path) -> None:
    found = of(file, context="there", namespace="a", server="https://x", user="alice")
    assert (found.server, found.namespace, found.insecure, found.token) == ("https://x", "a", True, "sesame")
    assert of(file, token="mine").client_certificate == b""


def test_a_token_file_beats_a_token_and_is_found_beside_the_kubeconfig(file: Path) -> None:
    found = of(file, context="there")
    assert (found.token, found.token_file) == ("", str(file.parent / "token"))


def test_a_program_gives_the_credential(file: Path) -> None:
    plugin = of(file, context="machine").exec_plugin
    assert plugin is not None
    assert (plugin.command, plugin.args, plugin.env) == (str(file.parent / "login"), ("-x",), (("A", "b"),))


def test_of_several_files_the_first_word_stands_and_missing_ones_are_skipped(file: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "first", "users: [{name: alice, user: {token: other}}]\ncurrent-context: there\n")
    found = load(environ={"KUBECONFIG": f"{tmp_path}/none:{first}:{file}"})
    assert (found.server, found.context) == ("https://two", "there")
    assert load(Flags(context="here"), environ={"KUBECONFIG": f"{first}:{file}"}).token == "other"


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    for name, text in (("token", "t"), ("ca.crt", "CA"), ("namespace", "shop")):
        write(tmp_path / name, text)
    env = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    found = in_cluster(environ=env, account=tmp_path)
    assert (found.server, found.namespace, found.ca) == ("https://[fd00::1]:443", "shop", b"CA")
    assert found.token_file == str(tmp_path / "token")


def test_a_connection_shows_no_secret_when_it_is_printed(file: Path) -> None:
    assert "sesame" not in repr(of(file))


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("", {}, "current-context is not set"),
        ("a: [", {}, "is no YAML"),
        ("{[", {}, "is neither YAML nor JSON"),
        ("- a", {}, "a mapping was expected, found a list"),
        ("clusters: {}", {}, "clusters must be a list, found a mapping"),
        ("clusters: [{name: a, cluster: 5}]", {}, "clusters[0] must have a name and a cluster"),
        (
            "clusters: [{name: a, cluster: {server: 'ftp://a'}}]",
            {"cluster": "a"},
            "clusters[a].cluster.server must be a URL",
        ),
        (
            "clusters: [{name: a, cluster: {server: 7}}]",
            {"cluster": "a"},
            "clusters[a].cluster.server must be text, found 7",
        ),
        ("contexts: [{name: prod, context: {}}]", {"context": "prd"}, "did you mean 'prod'?"),
        ("contexts: [{name: prod, context: {cluster: gone}}]", {"context": "prod"}, "names cluster 'gone', which"),
        ("contexts: [{name: prod, context: {}}]", {"context": "prod"}, "the context 'prod' names no cluster"),
        (
            "clusters: [{name: a, cluster: {server: 'https://a', certificate-authority-data: '%'}}]",
            {"cluster": "a"},
            "clusters[a].cluster.certificate-authority-data is no base64",
        ),
        (
            "clusters: [{name: a, cluster: {server: 'https://a', certificate-authority: gone.pem}}]",
            {"cluster": "a"},
            "clusters[a].cluster.certificate-authority cannot be read",
        ),
        (
            "users: [{name: u, user: {exec: {command: x}}}]",
            {"user": "u", "server": "a"},
            "users[u].user.exec.apiVersion must be",
        ),
        (
            "users: [{name: u, user: {client-key-data: aGk=}}]",
            {"user": "u", "server": "a"},
            "a client-key and no client-cert",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, flags: dict[str, str], told: str) -> None:
    file = write(tmp_path / "config", text)
    with pytest.raises(ConfigError) as error:
        of(file, **flags)
    assert told in str(error.value)


def test_no_configuration_at_all_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="serinus up"):
        load(environ={"HOME": str(tmp_path)})
    with pytest.raises(ConfigError, match="does not exist"):
        load(Flags(kubeconfig=f"{tmp_path}/gone"), environ={})


def test_reading_a_configuration_imports_no_http_library() -> None:
    """Every command starts here, and completion has 100 ms."""
    slow = ("aiohttp", "yaml", "asyncio", "msgspec")
    code = f"import sys, serinus.kube.configuration.config; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
