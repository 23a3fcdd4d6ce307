"""Credentials from a program that the kubeconfig names (`users[].user.exec`)."""

from __future__ import annotations

import json
import os
from typing import Any

from serinus.api.records import field, record
from serinus.api.times import parse_time


class ExecFailed(Exception):
    """The program gave no credential: what it said, and what to do."""


@record(frozen=True)
class ExecPlugin:
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    api_version: str = "client.authentication.k8s.io/v1"
    install_hint: str = ""


@record(frozen=True)
class Credential:
    token: str = field(default="", repr=False)
    client_certificate: bytes = b""
    client_key: bytes = field(default=b"", repr=False)
    expires: float | None = None
    """Seconds since the epoch; None: when it is refused."""


def ask(plugin: ExecPlugin, *, timeout: float = 60.0) -> Credential:
    """Runs the program, which may take `timeout` seconds, and returns what it gave. ExecFailed if it gave nothing."""
    import subprocess  # slow to import: most kubeconfigs hold their credentials

    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        done = subprocess.run(
            [plugin.command, *plugin.args],
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        hint = plugin.install_hint or "Install it, or choose another user with --user."
        raise ExecFailed(f"the credential program {plugin.command} was not found. {hint}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecFailed(f"the credential program {plugin.command} failed: {error}.") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        raise ExecFailed(
            f"the credential program {plugin.command} ended with {done.returncode}: {said or 'it said nothing'}."
        )
    return _credential(plugin, done.stdout)


def _credential(plugin: ExecPlugin, output: bytes) -> Credential:
    try:
        answer: Any = json.loads(output)
        status: dict[str, Any] = answer["status"]
        found = Credential(
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or "").encode(),
            str(status.get("clientKeyData") or "").encode(),
            parse_time(status.get("expirationTimestamp")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ExecFailed(
            f"the credential program {plugin.command} did not print an ExecCredential with a status."
        ) from None
    if not found.token and not found.client_certificate:
        raise ExecFailed(f"the credential program {plugin.command} gave neither a token nor a certificate.")
    return found
