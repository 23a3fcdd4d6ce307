"""Requests a connection to the API server from a proxy: CONNECT of HTTP (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, 1929).

Pure: a generator yields (bytes to send, number of bytes to read) and receives them. Both transports execute it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serinus.kube.http.proxies import Proxy

Talk = Generator[tuple[bytes, int], bytes, None]
TO_EMPTY_LINE = 0
"""To read: everything up to and including the first empty line."""
MOST_HEAD = 1 << 20
"""Bytes of a status line and its headers. Go's client accepts ten times as much. Long warnings must not fail it."""

_REFUSED = {
    1: "a general failure", 2: "its rules do not allow it", 3: "network unreachable", 4: "host unreachable",
    5: "connection refused", 6: "time is up", 7: "it cannot connect", 8: "it does not know this kind of address",
}  # fmt: skip
"""RFC 1928, section 6."""


class ProxyRefused(OSError):
    """The proxy refuses the connection. The message is the proxy's."""


def tunnel(proxy: Proxy, host: str, port: int) -> Talk:
    """ProxyRefused if the proxy refuses. Afterwards the connection leads to the API server."""
    return _socks5(proxy, host, port) if proxy.scheme == "socks5" else _connect(proxy, host, port)


def authorization(proxy: Proxy) -> str:
    """Value of the header Proxy-Authorization; empty if the URL has no user."""
    if not proxy.username:
        return ""
    import base64

    return "Basic " + base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()


def _connect(proxy: Proxy, host: str, port: int) -> Talk:
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    credentials = authorization(proxy)
    head = (
        f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n"
        + (f"Proxy-Authorization: {credentials}\r\n" if credentials else "")
        + "\r\n"
    )
    answer = (yield head.encode(), TO_EMPTY_LINE).split(b"\r\n", 1)[0].decode("latin-1")
    version, _, status = answer.partition(" ")
    if not version.startswith("HTTP/1.") or not status.startswith("2"):
        advice = ": give user and password in its URL" if status.startswith("407") else ""
        raise ProxyRefused(f"the proxy {proxy.where} answered {status[:80] or answer[:80]!r}{advice}")


def _socks5(proxy: Proxy, host: str, port: int) -> Talk:
    answer = yield (b"\x05\x02\x00\x02" if proxy.username else b"\x05\x01\x00"), 2
    if answer == b"\x05\x02" and proxy.username:
        user, password = proxy.username.encode(), proxy.password.encode()
        checked = yield bytes([1, len(user)]) + user + bytes([len(password)]) + password, 2
        if checked[1]:
            raise ProxyRefused(f"the proxy {proxy.where} does not accept its user and password")
    elif answer != b"\x05\x00":
        why = "wants a user and password: give them in its URL" if answer[:1] == b"\x05" else "is no SOCKS5 proxy"
        raise ProxyRefused(f"the proxy {proxy.where} {why}")
    answer = yield b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"), 4
    if answer[1]:
        raise ProxyRefused(f"the proxy {proxy.where} does not connect to {host}: {_REFUSED.get(answer[1], answer[1])}")
    more = {1: 4, 4: 16}.get(answer[3])
    if more is None:
        more = (yield b"", 1)[0]
    yield b"", more + 2


def _address(host: str) -> bytes:
    import socket

    for kind, family in ((b"\x01", socket.AF_INET), (b"\x04", socket.AF_INET6)):
        try:
            return kind + socket.inet_pton(family, host)
        except OSError:
            continue
    name = host.encode("idna")
    return b"\x03" + bytes([len(name)]) + name
