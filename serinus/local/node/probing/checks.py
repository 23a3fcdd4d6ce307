"""Checks a container over the network once: HTTP and TCP, like a kubelet's probes.

Deliberately small: an HTTP client library would be the largest part here, and runs twenty times a second.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from serinus.local.node.containers.runtime import CheckResult, HttpCheck, Listens, TcpCheck

_HEAD = 64 * 1024


async def ask(check: HttpCheck | TcpCheck | Listens, timeout: float) -> CheckResult:
    try:
        async with asyncio.timeout(timeout):
            return await (_http(check) if isinstance(check, HttpCheck) else _tcp(check))
    except TimeoutError:
        return CheckResult(False, f"no answer from {check.host}:{check.port} within {timeout:g} s")
    except (OSError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError) as error:
        return CheckResult(False, f"{check.host}:{check.port}: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens (connection refused)"
    if isinstance(error, asyncio.IncompleteReadError):
        return "the connection was closed before an answer"
    return str(error) or type(error).__name__


async def _tcp(check: TcpCheck | Listens) -> CheckResult:
    _, writer = await asyncio.open_connection(check.host, check.port)
    writer.close()
    return CheckResult(True)


async def _http(check: HttpCheck) -> CheckResult:
    context = None
    if check.scheme == "https":
        context = ssl.create_default_context()
        # Like a kubelet: a probe checks that the server is alive, not its identity.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(check.host, check.port, ssl=context, limit=_HEAD)
    try:
        headers = {
            "Host": f"{check.host}:{check.port}",
            "User-Agent": "kube-probe/1.37",
            "Accept": "*/*",
            "Connection": "close",
        }
        headers |= dict(check.headers)
        lines = [f"GET {check.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode("utf-8", "replace"))
        await writer.drain()
        status = (await reader.readuntil(b"\n")).split()
        code = int(status[1]) if len(status) > 1 and status[0].startswith(b"HTTP/") else 0
        ok = 200 <= code < 400
        return CheckResult(ok, "" if ok else f"HTTP probe failed with statuscode: {code}")
    finally:
        writer.close()
        with suppress(OSError, asyncio.CancelledError, ssl.SSLError):
            await writer.wait_closed()
