"""An API server over TLS and proxies of every kind on loopback, for tests of both transports."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(file: Path, dns: str, ip: str = "") -> Path:
    """A certificate of its own authority for a name and an address, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(dns), *([x509.IPAddress(ipaddress.ip_address(ip))] if ip else [])]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + secret)
    return file


def serving(file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


class Api:
    """Answers every GET with `{"path": …}`, a watch with one event; `seen`: (path, headers)."""

    def __init__(self, tls: ssl.SSLContext | None, location: str = "") -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                watch = "watch=true" in self.path
                body = b'{"type": "ADDED", "object": {"metadata": {"name": "a"}}}\n' if watch else b'{"kind": "X"}'
                self.send_response(302 if location else 200)
                if location:
                    self.send_header("Location", location + self.path)
                if watch:
                    self.send_header("Transfer-Encoding", "chunked")
                    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                else:
                    self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class ProxyServer:
    """`kind`: http, https, socks5. Every name resolves to `target`. `asked`: (the destination, its Proxy-Authorization or user)."""

    def __init__(self, kind: str, target: int, tls: ssl.SSLContext | None = None, refuse: bytes = b"") -> None:
        self.asked: list[tuple[str, str]] = []
        self._kind, self._target, self._tls, self._refuse = kind, target, tls, refuse
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, who: str = "") -> str:
        return f"{self._kind}://{who}127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError), line:
            inner = self._tls.wrap_socket(line, server_side=True) if self._tls else line
            first = self._socks(inner) if self._kind == "socks5" else self._http(inner)
            if first is None:
                return
            with socket.create_connection(("127.0.0.1", self._target)) as other:
                other.sendall(first)
                threading.Thread(target=_pump, args=(other, inner.sendall), daemon=True).start()
                _pump(inner, other.sendall)

    def _http(self, line: socket.socket) -> bytes | None:
        """The first bytes to the target; None where it is refused."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += line.recv(1)
        rows = head.decode().split("\r\n")
        given = next((row.partition(": ")[2] for row in rows if row.lower().startswith("proxy-authorization")), "")
        self.asked.append((rows[0], given))
        if self._refuse:
            line.sendall(self._refuse)
            return None
        if not rows[0].startswith("CONNECT"):
            return head
        line.sendall(b"HTTP/1.1 200 Connection established\r\nVia: me\r\n\r\n")
        return b""

    def _socks(self, line: socket.socket) -> bytes | None:
        methods = line.recv(256)
        who = ""
        if b"\x02" in methods[2:]:
            line.sendall(b"\x05\x02")
            said = line.recv(600)
            user = said[2 : 2 + said[1]].decode()
            who = f"{user}:{said[3 + said[1] :].decode()}"
            line.sendall(b"\x01\x00")
        else:
            line.sendall(b"\x05\x00")
        request = line.recv(300)
        host = request[5 : 5 + request[4]].decode() if request[3] == 3 else socket.inet_ntoa(request[4:8])
        self.asked.append((f"{host}:{int.from_bytes(request[-2:], 'big')}", who))
        line.sendall(self._refuse or b"\x05\x00\x00\x03\x02ab\x00\x01")
        return None if self._refuse else b""


def _pump(source: socket.socket, to: Callable[[bytes], object]) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            to(piece)
