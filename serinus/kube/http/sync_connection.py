"""Connects a socket to an API server for code without an event loop, with an optional proxy and TLS."""

from __future__ import annotations

import io
import socket
import ssl
from typing import TYPE_CHECKING, Any

from serinus.kube.http.tunnel import MOST_HEAD, TO_EMPTY_LINE, ProxyRefused, tunnel

if TYPE_CHECKING:
    from serinus.kube.http.proxies import Proxy


def dialed(
    host: str, port: int, proxy: Proxy | None, tls: ssl.SSLContext | None, server_name: str, *,
    timeout: float, tunneled: bool,
) -> Any:  # fmt: skip
    """A socket for `http.client`. Without `tunneled` it is only connected to the HTTP proxy. OSError on failure."""
    line: Any = socket.create_connection((proxy.host, proxy.port) if proxy else (host, port), timeout)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy is not None and proxy.scheme == "https":
            from serinus.kube.http.tls import proxy_context

            line = proxy_context().wrap_socket(line, server_hostname=proxy.host)
        if proxy is not None and tunneled:
            _talk(line, proxy, host, port)
        if tls is None:
            return line
        if isinstance(line, ssl.SSLSocket):
            return TlsInTls(line, tls, server_name or host)
        return tls.wrap_socket(line, server_hostname=server_name or host)
    except BaseException:
        line.close()
        raise


def _talk(line: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Reads byte by byte if the length is unknown: bytes after the proxy's answer belong to the API server."""
    talk = tunnel(proxy, host, port)
    got = None
    try:
        while True:
            sent, expected = next(talk) if got is None else talk.send(got)
            line.sendall(sent)
            got = b""
            while len(got) < expected if expected != TO_EMPTY_LINE else not got.endswith(b"\r\n\r\n"):
                piece = line.recv(1 if expected == TO_EMPTY_LINE else expected - len(got))
                if not piece or len(got) > MOST_HEAD:
                    raise ProxyRefused(f"the proxy {proxy.where} broke off")
                got += piece
    except StopIteration:
        return


class TlsInTls:
    """TLS to the API server inside TLS to a proxy. The standard library cannot wrap a socket twice."""

    def __init__(self, outer: ssl.SSLSocket, tls: ssl.SSLContext, server_name: str) -> None:
        self._outer, self._in, self._out = outer, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._in, self._out, server_hostname=server_name)
        self._readers, self._closed = 0, False
        self._do(self._tls.do_handshake)

    def _do(self, call: Any, *args: Any) -> Any:
        while True:
            try:
                result = call(*args)
            except ssl.SSLWantReadError:
                self._flush()
                piece = self._outer.recv(1 << 16)
                self._in.write(piece) if piece else self._in.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._out.pending:
            self._outer.sendall(self._out.read())

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._do(self._tls.write, rest) :]

    def recv_into(self, buffer: Any) -> int:
        """Bytes read; 0 at the end."""
        try:
            return self._do(self._tls.read, len(buffer), buffer)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return 0

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """As with sockets: open readers keep the connection."""
        self._closed = True
        if self._readers <= 0:
            self._outer.close()

    def reader_closed(self) -> None:
        self._readers -= 1
        if self._closed:
            self.close()


class _Reader(io.RawIOBase):
    def __init__(self, line: TlsInTls) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._line.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._line.reader_closed()
