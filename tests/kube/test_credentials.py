"""Credentials are sent only to their server, and the programs and files that provide them have limits."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serinus.api.resources import PODS
from serinus.kube.client import Client
from serinus.kube.configuration.config import ConfigError, Connection, Flags, in_cluster, load
from serinus.kube.configuration.exec_plugin import ExecFailed, ExecPlugin, ask
from serinus.kube.errors import Forbidden
from serinus.kube.http.https import HttpsHandler
from serinus.kube.sync import SyncClient

Json = dict[str, Any]
USERS: dict[str, Json] = {
    "token": {"token": "secret"},
    "tokenFile": {"tokenFile": "token"},
    "password": {"username": "me", "password": "secret"},
    "certificate": {"client-certificate-data": "c2VjcmV0", "client-key-data": "c2VjcmV0"},
    "exec": {"exec": {"command": "./program", "apiVersion": "client.authentication.k8s.io/v1"}},
}


def kubeconfig(folder: Path, user: Json, **cluster: Any) -> str:
    entries = {
        "clusters": ("cluster", cluster),
        "users": ("user", user),
        "contexts": ("context", {"cluster": "a", "user": "a"}),
    }
    config: Json = {section: [{"name": "a", key: value}] for section, (key, value) in entries.items()}
    (folder / "config").write_text(json.dumps({**config, "current-context": "a"}))
    return str(folder / "config")


@pytest.mark.parametrize("flag", ["", "secret"], ids=["file", "flag"])
@pytest.mark.parametrize("user", USERS)
def test_nothing_that_says_who_calls_is_read_for_a_plain_server(tmp_path: Path, user: str, flag: str) -> None:
    """As client-go: `kubectl proxy` needs none, and on any other wire every listener can read it."""
    for server, sent in (("http://a", False), ("http://127.0.0.1:8001", False), ("https://a", True)):
        file = kubeconfig(tmp_path, USERS[user], server=server)
        found = load(Flags(kubeconfig=file, as_user="eve", token=flag), environ={})
        secrets = (found.token, found.token_file, found.username, found.password, found.client_key, found.exec_plugin)
        assert any(secrets) is sent
        assert found.impersonate == (("Impersonate-User", "eve"),)


def test_a_service_account_is_not_sent_to_a_plain_server_either(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert in_cluster(Flags(server="http://a"), environ=environ, account=tmp_path).token_file == ""
    assert in_cluster(Flags(server="a:1"), environ=environ, account=tmp_path).token_file == str(tmp_path / "token")


@pytest.mark.parametrize(
    ("cluster", "flags", "expected"),
    [
        ({"certificate-authority-data": "Y2E=", "insecure-skip-tls-verify": True}, {}, "exclude each other"),
        (
            {"certificate-authority": "ca", "insecure-skip-tls-verify": True},
            {},
            "clusters[a].cluster.certificate-authority",
        ),
        (
            {},
            {"insecure_skip_tls_verify": True, "certificate_authority": "{}/ca"},
            "--certificate-authority and --insecure",
        ),
        ({"certificate-authority-data": "Y2E="}, {"insecure_skip_tls_verify": True}, (True, b"")),
        ({"insecure-skip-tls-verify": True}, {"certificate_authority": "{}/ca"}, (False, b"ca")),
        ({"certificate-authority-data": "Y2E="}, {}, (False, b"ca")),
        ({"insecure-skip-tls-verify": True}, {}, (True, b"")),
    ],
)
def test_an_authority_and_no_check_exclude_each_other(
    tmp_path: Path, cluster: Json, flags: dict[str, Any], expected: Any
) -> None:
    (tmp_path / "ca").write_text("ca")
    given: dict[str, Any] = {
        key: value.format(tmp_path) if isinstance(value, str) else value for key, value in flags.items()
    }
    file = kubeconfig(tmp_path, {}, server="https://a", **cluster)
    if isinstance(expected, str):
        with pytest.raises(ConfigError) as error:
            load(Flags(kubeconfig=file, **given), environ={})
        assert expected in str(error.value)
    else:
        found = load(Flags(kubeconfig=file, **given), environ={})
        assert (found.insecure, found.ca) == expected


def test_another_server_takes_no_name_from_the_kubeconfig(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, {}, server="https://a", **{"tls-server-name": "b"})
    assert load(Flags(kubeconfig=file), environ={}).tls_server_name == "b"
    assert load(Flags(kubeconfig=file, server="https://c"), environ={}).tls_server_name == ""
    assert load(Flags(kubeconfig=file, server="https://c", tls_server_name="d"), environ={}).tls_server_name == "d"


def test_the_proxy_of_the_kubeconfig_goes_before_that_of_the_environment(tmp_path: Path) -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}
    file = kubeconfig(tmp_path, {}, server="https://127.0.0.1:1", **{"proxy-url": "socks5://q:1"})
    assert load(Flags(kubeconfig=file), environ=environ).proxy == "socks5://q:1"
    file = kubeconfig(tmp_path, {}, server="https://a")
    assert load(Flags(kubeconfig=file), environ=environ).proxy == ""
    assert load(Flags(kubeconfig=file), environ={"HTTPS_PROXY": "p:1"}).proxy == "http://p:1"
    (tmp_path / "token").write_text("secret")
    inside = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HTTPS_PROXY": "http://p:1"}
    assert in_cluster(environ=inside, account=tmp_path).proxy == "http://p:1"


@pytest.mark.parametrize(
    ("user", "cluster", "told"),
    [
        ({}, {"proxy-url": "ftp://u:secret@a"}, "clusters[a].cluster.proxy-url cannot be used: it must begin with"),
        (
            {"exec": {"command": "x", "apiVersion": "V", "env": [{"name": "A"}]}},
            {},
            "exec.env[0] must be a name and a value",
        ),
        ({"exec": {"command": "x", "apiVersion": "V", "args": [["secret"]]}}, {}, "exec.args[0] must be text"),
        ({"as": "eve", "as-groups": "a"}, {}, "users[a].user.as-groups must be a list of texts"),
        ({"as": "eve", "as-user-extra": ["a"]}, {}, "users[a].user.as-user-extra must be a mapping"),
        ({"as": "eve", "as-user-extra": {"a": "b"}}, {}, "users[a].user.as-user-extra.a must be a list of texts"),
        ({"client-certificate": "/dev/zero"}, {}, "has more than 16 MiB"),
    ],
)
def test_a_mistake_is_named_with_file_and_field_and_without_its_secret(
    tmp_path: Path, user: Json, cluster: Json, told: str
) -> None:
    if "exec" in user:
        user["exec"]["apiVersion"] = "client.authentication.k8s.io/v1"
    file = kubeconfig(tmp_path, user, server="https://a", **cluster)
    with pytest.raises(ConfigError) as error:
        load(Flags(kubeconfig=file), environ={})
    assert told in str(error.value)
    assert file in str(error.value)
    assert "secret" not in str(error.value)


def test_all_that_is_said_of_the_user_to_act_as_is_sent(tmp_path: Path) -> None:
    user = {
        "as": "eve",
        "as-uid": "7",
        "as-groups": ["a", "b"],
        "as-user-extra": {"scopes": ["x", "y"], "e.org/k": ["z"]},
    }
    found = load(Flags(kubeconfig=kubeconfig(tmp_path, user, server="https://a")), environ={})
    assert found.impersonate == (
        *(("Impersonate-User", "eve"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")),
        *(("Impersonate-Extra-scopes", "x"), ("Impersonate-Extra-scopes", "y"), ("Impersonate-Extra-e.org%2Fk", "z")),
        ("Impersonate-Uid", "7"),
    )


def test_a_kubeconfig_without_end_is_no_reason_to_read_for_ever() -> None:
    with pytest.raises(ConfigError, match="/dev/zero has more than 16 MiB"):
        load(Flags(kubeconfig="/dev/zero"), environ={})


def by_command(connection: Connection) -> None:
    SyncClient(connection).get(PODS, "a", "x")


def by_controller(connection: Connection) -> None:
    async def asked() -> None:
        handler = HttpsHandler(connection)
        try:
            await Client(handler).get(PODS, "x", "a")
        finally:
            await handler.close()

    asyncio.run(asked())


@pytest.mark.parametrize("ask_as", [by_command, by_controller])
def test_what_no_header_may_hold_is_refused_and_not_shown(tmp_path: Path, ask_as: Callable[[Connection], None]) -> None:
    (tmp_path / "file").write_text("sec\nret")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for connection in (
        Connection("https://127.0.0.1:1", token="sec\nret"),
        Connection("https://127.0.0.1:1", token_file=str(tmp_path / "file")),
        Connection("https://127.0.0.1:1", token_file=str(tmp_path / "endless")),
        Connection("https://127.0.0.1:1", impersonate=(("Impersonate-User", "sec\r\nX: ret"),)),
    ):
        with pytest.raises(Forbidden) as refused:
            ask_as(connection)
        assert "control character" in str(refused.value) or "bytes" in str(refused.value)
        assert "ret" not in str(refused.value).replace("secret", "").replace("Correct", "")


ANSWER = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}


def program(folder: Path, script: str) -> ExecPlugin:
    file = folder / "program"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return ExecPlugin(str(file))


def gone(group: int) -> bool:
    """Once the kernel has reaped what was killed."""
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("yes", "printed more than 1 MiB"),
        ("yes >&2", "did not end within"),
        ("sleep 1000", "did not end within"),
        ("sleep 1000 & echo", "did not end within"),
        ("exit 3", "ended with 3: it said nothing"),
        ("echo '[]'", "did not print an ExecCredential"),
        ("""echo '{"apiVersion": "v1", "status": {"token": "secret"}}'""", "in apiVersion 'v1'"),
        (f"echo '{json.dumps({**ANSWER, 'status': {}})}'", "neither a token nor a certificate"),
        (f"echo '{json.dumps({**ANSWER, 'status': {'token': 'secret', 'clientKeyData': 'k'}})}'", "both are needed"),
    ],
)
def test_a_program_has_bounds_in_time_and_size_and_what_it_started_ends_with_it(
    tmp_path: Path, script: str, told: str
) -> None:
    group = tmp_path / "group"
    began = time.monotonic()
    with pytest.raises(ExecFailed) as failed:
        ask(program(tmp_path, f"echo $$ > {group}\n{script}"), timeout=2.0 if "did not end" in told else 60.0)
    assert told in str(failed.value)
    assert "secret" not in str(failed.value)
    assert time.monotonic() - began < 30
    if "sleep" in script or "yes" in script:
        assert gone(int(group.read_text()))
