"""NATS: one connection per message (https://docs.nats.io/reference/reference-protocols/nats-protocol)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from serinus.analysis.providers.http.failures import is_lasting, reason
from serinus.notifications.services.service import Delayed, NoSection, NotificationService, Refused, SendRequest

PORT = 4222
LONGEST_LINE = 64 * 1024
SEED, USER = 18 << 3, 20 << 3
"""Prefixes of keys: a seed, and the public key of a user."""


class NatsOptions(msgspec.Struct):
    url: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    nkey: str = ""
    username: str = ""
    password: str = ""


class Nats(NotificationService[NatsOptions, NoSection]):
    type = "nats"
    Options = NatsOptions
    Section = NoSection

    def check(self, options: NatsOptions) -> str:
        if not options.url:
            return "url is missing"
        return (
            "" if _address(options.url)[0] else f"url: {options.url.rpartition('@')[2]!r} has no host or no valid port"
        )

    def host(self, options: NatsOptions, recipient: str) -> str:
        host, port = _address(options.url)[:2]
        return f"{host}:{port}"

    async def send(self, options: NatsOptions, job: SendRequest) -> Mapping[str, str] | None:
        if not job.recipient or any(c.isspace() for c in job.recipient):
            raise Refused("the recipient is no subject")
        host, port, secure = _address(options.url)
        try:
            reader, writer = await asyncio.open_connection(host, port, limit=LONGEST_LINE)
        except OSError as error:
            raise Delayed(f"{host}:{port}: {error.strerror or error}") from None
        try:
            await _publish(options, job, reader, writer, host, secure=secure)
        except (OSError, ValueError) as error:
            text = (
                f"{host}:{port}: {reason(error)}" if isinstance(error, OSError) else f"{host}:{port} is no NATS server"
            )
            raise Refused(text) if is_lasting(error) else Delayed(text) from None
        finally:
            writer.close()
        return None


async def _publish(
    options: NatsOptions,
    job: SendRequest,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    host: str,
    *,
    secure: bool,
) -> None:
    line = await reader.readline()
    if not line:
        raise Delayed(f"{host} closed the connection")
    if not line.startswith(b"INFO "):
        raise Refused(f"{host} is no NATS server")
    info: Any = json.loads(line[5:])
    if not isinstance(info, dict):
        raise Refused(f"{host} is no NATS server")
    if secure or info.get("tls_required"):
        await writer.start_tls(ssl.create_default_context(), server_hostname=host)
    hello = json.dumps(_hello(options, str(info.get("nonce") or ""))).encode()
    writer.write(b"CONNECT " + hello + b"\r\n" + _message(options, job) + b"\r\nPING\r\n")
    await writer.drain()
    while line := await reader.readline():
        if line.startswith(b"PONG"):
            return  # the server has read all earlier commands
        if line.startswith(b"-ERR"):
            raise Refused(f"{host} answered: {line[5:].decode('utf-8', 'replace').strip()[:200]}")
        if line.startswith(b"PING"):
            writer.write(b"PONG\r\n")
            await writer.drain()
    raise Delayed(f"{host} closed the connection")


def _hello(options: NatsOptions, nonce: str) -> dict[str, Any]:
    """The options of CONNECT, with the credentials."""
    hello: dict[str, Any] = {
        "verbose": False,
        "pedantic": False,
        "lang": "python",
        "version": "1",
        "protocol": 1,
        "headers": True,
    }
    if options.username and options.password:
        hello |= {"user": options.username, "pass": options.password}
    if options.nkey:
        hello |= signature_of(options.nkey, nonce)
    return hello


def _message(options: NatsOptions, job: SendRequest) -> bytes:
    """PUB, or HPUB with the headers of the service."""
    data = job.message.encode()
    if not options.headers:
        return f"PUB {job.recipient} {len(data)}\r\n".encode() + data
    head = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in options.headers.items()) + "\r\n"
    sizes = f"{len(head.encode())} {len(head.encode()) + len(data)}"
    return f"HPUB {job.recipient} {sizes}\r\n{head}".encode() + data


def _address(url: str) -> tuple[str, int, bool]:
    """(host, port, whether TLS is required). The host is "" if the URL is invalid."""
    try:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        return parts.hostname or "", parts.port or PORT, parts.scheme == "tls"
    except ValueError:
        return "", PORT, False


def signature_of(seed: str, nonce: str) -> dict[str, str]:
    """The public key, and the signature of the server's nonce. Refused if the seed is no user seed."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    text = seed.strip()
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raw = b""
    if len(raw) != 36 or raw[0] & 0xF8 != SEED or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise Refused("nkey is no seed of a user")
    key = Ed25519PrivateKey.from_private_bytes(raw[2:34])
    public = bytes([USER]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public += binascii.crc_hqx(public, 0).to_bytes(2, "little")
    signed = base64.urlsafe_b64encode(key.sign(nonce.encode())).decode().rstrip("=")
    return {"nkey": base64.b32encode(public).decode().rstrip("="), "sig": signed}
