"""Credentials from a program that the kubeconfig names (`users[].user.exec`)."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from serinus.api.records import field, record
from serinus.api.values.times import parse_time

if TYPE_CHECKING:
    import subprocess

MOST_OUTPUT = 1 << 20
"""Bytes. A credential has some kilobytes; a faulty program writes without end."""


class ExecFailed(Exception):
    """The program returned no credential. The message has its output and the remedy."""


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
    """Seconds since the epoch. None: the credential is valid until it is refused."""


def ask(plugin: ExecPlugin, *, timeout: float = 60.0) -> Credential:
    """Runs the program for at most `timeout` seconds and returns its credential. ExecFailed if it returns none."""
    import subprocess  # slow to import, rarely needed

    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    env = {**os.environ, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    command = plugin.command
    try:
        with subprocess.Popen(
            [command, *plugin.args],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                until = time.monotonic() + timeout
                output, errors = _output_of(process, until)
                code = process.wait(max(0.0, until - time.monotonic()))
            except BaseException:
                _kill(process)
                raise
    except FileNotFoundError:
        hint = plugin.install_hint or "Install it, or choose another user with --user."
        raise ExecFailed(f"the credential program {command} was not found. {hint}") from None
    except subprocess.TimeoutExpired:
        raise ExecFailed(f"the credential program {command} did not end within {timeout:g} s.") from None
    except OSError as error:
        raise ExecFailed(f"the credential program {command} failed: {error}.") from None
    if len(output) > MOST_OUTPUT:
        raise ExecFailed(f"the credential program {command} printed more than {MOST_OUTPUT >> 20} MiB.")
    if code:
        stderr = errors.decode("utf-8", "replace").strip()[-500:]
        raise ExecFailed(f"the credential program {command} ended with {code}: {stderr or 'it said nothing'}.")
    return _credential(plugin, output)


def _output_of(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bytes]:
    """Output, a little more than MOST_OUTPUT at most, and the end of its stderr. TimeoutExpired at `until`."""
    import selectors
    import subprocess

    output = {process.stdout: b"", process.stderr: b""}
    with selectors.DefaultSelector() as ready:
        for stream in output:
            assert stream is not None
            ready.register(stream, selectors.EVENT_READ)
        while ready.get_map() and len(output[process.stdout]) <= MOST_OUTPUT:
            left = until - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(process.args, left)
            for key, _ in ready.select(left):
                piece = os.read(key.fd, 1 << 16)
                if not piece:
                    ready.unregister(key.fileobj)
                text = output[key.fileobj] + piece  # type: ignore[index]
                output[key.fileobj] = text if key.fileobj is process.stdout else text[-(1 << 16) :]  # type: ignore[index]
    if len(output[process.stdout]) > MOST_OUTPUT:
        _kill(process)
    return output[process.stdout], output[process.stderr]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the program and its children, which hold its output open."""
    import signal
    from contextlib import suppress

    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _credential(plugin: ExecPlugin, output: bytes) -> Credential:
    try:
        answer: Any = json.loads(output)
        status: dict[str, Any] = answer["status"]
        credential = Credential(
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or "").encode(),
            str(status.get("clientKeyData") or "").encode(),
            parse_time(status.get("expirationTimestamp")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ExecFailed(
            f"the credential program {plugin.command} did not print an ExecCredential with a status."
        ) from None
    version = answer.get("apiVersion")
    if version != plugin.api_version:
        raise ExecFailed(
            f"the credential program {plugin.command} answered in apiVersion {str(version)[:80]!r}, "
            f"and the kubeconfig names {plugin.api_version}. Write the version of the program there."
        )
    if bool(credential.client_certificate) != bool(credential.client_key):
        raise ExecFailed(f"the credential program {plugin.command} gave a certificate or a key alone: both are needed.")
    if not credential.token and not credential.client_certificate:
        raise ExecFailed(f"the credential program {plugin.command} gave neither a token nor a certificate.")
    return credential
