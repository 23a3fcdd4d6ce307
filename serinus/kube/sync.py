"""Calls on the Kubernetes API without an event loop, for short-lived commands.

It uses only the standard library and imports it at the first call. One connection is kept for requests. Each watch has
a separate connection. Errors are those of `serinus.kube.errors`; an `Unavailable` names the address.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from serinus.kube.configuration.authentication import identity, token_of
from serinus.kube.configuration.config import Connection
from serinus.kube.configuration.exec_plugin import Credential, ExecFailed, ask
from serinus.kube.errors import ApiError, Forbidden, Gone, Unavailable, error_from
from serinus.kube.http.media_types import JSON, MERGE_PATCH
from serinus.kube.http.proxies import proxy_at
from serinus.kube.http.tunnel import ProxyRefused, authorization

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection, HTTPResponse

    from serinus.api.resources import Resource

Json = dict[str, Any]

ANSWER_SECONDS = 32.0
SILENCE_SECONDS = 330.0
"""A watch that is silent for longer than API servers' maximum duration of a watch is dead."""


class SyncClient:
    """One API server. It is not thread-safe: each thread needs a client."""

    def __init__(self, connection: Connection, *, user_agent: str = "kubectl-argo-rollouts") -> None:
        self.connection, self._agent = connection, user_agent
        self._kept: HTTPConnection | None = None
        self._busy: socket.socket | None = None
        """The socket of the newest request."""
        self._aborted = False
        self._tls: ssl.SSLContext | None = None
        self._credential: Credential | None = None
        self._server = urlsplit(connection.server)
        self._proxy = proxy_at(connection.proxy) if connection.proxy else None
        # A plain request through an HTTP proxy goes to the proxy; all others go through a tunnel.
        self._absolute = bool(self._proxy and self._proxy.scheme != "socks5" and self._server.scheme == "http")

    def clone(self) -> SyncClient:
        """A client for another thread: the same server and credential, separate connections."""
        other = SyncClient(self.connection, user_agent=self._agent)
        other._tls, other._credential = self._tls, self._credential
        return other

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def abort(self) -> None:
        """Ends the request that another thread makes with this client, and refuses later ones: they raise Unavailable."""
        self._aborted = True
        if self._busy is not None:
            with suppress(OSError):  # it is closed already
                # Not that of SSLSocket, which would take the TLS session from the other thread.
                socket.socket.shutdown(self._busy, socket.SHUT_RDWR)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        return self.call("GET", resource.path(namespace, name))

    def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> Json:
        """The whole List object with all pages joined. Without `namespace`: all namespaces."""
        query = _query(labelSelector=labels, fieldSelector=fields, limit="500")
        merged = self.call("GET", resource.path(namespace), query=query)
        while token := (merged.get("metadata") or {}).get("continue"):
            page = self.call("GET", resource.path(namespace), query={**query, "continue": token})
            page["items"] = [*(merged.get("items") or []), *(page.get("items") or [])]
            merged = page
        return merged

    def create(self, resource: Resource, namespace: str, obj: Json) -> Json:
        return self.call("POST", resource.path(namespace), body=obj)

    def update(self, resource: Resource, namespace: str, obj: Json) -> Json:
        return self.call("PUT", resource.path(namespace, obj["metadata"]["name"]), body=obj)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        *,
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Json:
        return self.call("PATCH", resource.path(namespace, name, subresource), body=patch, content_type=content_type)

    def call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None,
        content_type: str = JSON,
    ) -> Json:  # fmt: skip
        """The object in the answer. ApiError for a status of 400 and above, or for no answer."""
        payload = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        answer = self._asked(method, path, query or {}, payload, content_type)
        with self._reaching():
            data = answer.read()
        return _object(data, self.connection.server) if data else {}

    def watch(
        self, resource: Resource, namespace: str = "", *, version: str = "", labels: str = "", fields: str = ""
    ) -> Iterator[tuple[str, Json]]:
        """(ADDED, MODIFIED, DELETED or BOOKMARK, object) after `version`, until the server ends the watch.

        Gone if the version is too old: list again. Unavailable if the connection breaks.
        """
        query = _query(labelSelector=labels, fieldSelector=fields, resourceVersion=version)
        query |= {"watch": "true", "allowWatchBookmarks": "true"}
        answer = self._asked("GET", resource.path(namespace), query, None, JSON, lasting=True)
        try:
            while True:
                with self._reaching():
                    line = answer.readline()
                if not line:
                    return
                event = _object(line, self.connection.server)
                if event.get("type") == "ERROR":
                    raise _watch_error(event.get("object") or {})
                yield str(event["type"]), event["object"]
        finally:
            answer.close()

    def _asked(
        self, method: str, path: str, query: Mapping[str, str], payload: bytes | None, content_type: str,
        *, lasting: bool = False,
    ) -> HTTPResponse:  # fmt: skip
        # A user may type any name: the API server reports invalid ones.
        base = self.connection.server if self._absolute else self._server.path
        target = base + quote(path, safe="/:") + (f"?{urlencode(query)}" if query else "")
        answer = self._once(method, target, payload, content_type, lasting, renew=False)
        if answer.status == 401 and (self.connection.exec_plugin or self.connection.token_file):
            answer.read()
            answer = self._once(method, target, payload, content_type, lasting, renew=True)
        if answer.status >= 300:
            with self._reaching():
                body = answer.read()
            after = answer.getheader("Retry-After", "")
            raise error_from(answer.status, body, float(after) if after.isdigit() else None)
        return answer

    def _once(
        self, method: str, target: str, payload: bytes | None, content_type: str, lasting: bool, *, renew: bool
    ) -> HTTPResponse:
        from http.client import HTTPException, RemoteDisconnected

        headers = {"Accept": JSON, "User-Agent": self._agent, "Accept-Encoding": "identity"}
        if payload is not None:
            headers["Content-Type"] = content_type
        who = self._identity(renew)
        if self._absolute and self._proxy and (credentials := authorization(self._proxy)):
            who.append(("Proxy-Authorization", credentials))
        for attempt in (1, 2):
            if self._kept is not None and self._kept.sock is None:
                self._kept = None  # the server closed it after its last answer
            reused = self._kept is not None and not lasting
            line = self._connection(lasting)
            try:
                line.putrequest(method, target, skip_accept_encoding=True)
                for name, value in [*headers.items(), *who]:
                    line.putheader(name, value)
                if payload is not None:
                    line.putheader("Content-Length", str(len(payload)))
                line.endheaders(payload)
                return line.getresponse()
            except (HTTPException, OSError) as error:
                self.close()
                # The server may have closed a kept connection while it was idle; then it processed nothing.
                if reused and attempt == 1 and isinstance(error, RemoteDisconnected | ConnectionError):
                    continue
                raise self._unavailable(error) from error
        raise AssertionError("two attempts, each returns or raises")

    def _connection(self, lasting: bool) -> HTTPConnection:
        """That of the next request. A watch has one of its own."""
        with self._reaching():
            line = self._connect(SILENCE_SECONDS) if lasting else self._kept or self._connect(self._limit())
        if not lasting:
            self._kept = line
        self._busy = line.sock
        if self._aborted:
            line.close()
            raise self._unavailable(ConnectionAbortedError("the command ends"))
        return line

    def _limit(self) -> float:
        return self.connection.timeout or ANSWER_SECONDS

    def _connect(self, timeout: float) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        from serinus.kube.http.sync_connection import dialed

        server = self._server
        secure = server.scheme == "https"
        host, port = server.hostname or "", server.port or (443 if secure else 80)
        tls = self._context() if secure else None
        line = HTTPSConnection(host, port, context=tls) if secure else HTTPConnection(host, port)
        line.auto_open = 0  # a reconnect would bypass the proxy
        name = self.connection.tls_server_name
        line.sock = dialed(host, port, self._proxy, tls, name, timeout=timeout, tunneled=not self._absolute)
        return line

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            held = self._credential
            pair = (held.client_certificate, held.client_key) if held and held.client_certificate else None
            certificate, key = pair or (self.connection.client_certificate, self.connection.client_key)
            from serinus.kube.http.tls import tls_context  # ssl is slow to import: only for TLS

            self._tls = tls_context(self.connection, certificate, key)
        return self._tls

    def _identity(self, renew: bool) -> list[tuple[str, str]]:
        """The authentication headers. `renew`: the server has refused the previous ones."""
        connection, token = self.connection, self.connection.token
        if connection.exec_plugin is not None:
            soon = self._credential and self._credential.expires and self._credential.expires - 30 < time.time()
            if self._credential is None or renew or soon:
                try:
                    self._credential = ask(connection.exec_plugin)
                except ExecFailed as error:
                    raise Forbidden(401, "Unauthorized", str(error)) from error
                self._tls = None
                self.close()
            token = self._credential.token
        elif connection.token_file:
            token = token_of(connection.token_file)
        return identity(connection, token)

    def _reaching(self) -> _Reaching:
        return _Reaching(self)

    def _unavailable(self, error: BaseException) -> Unavailable:
        server = self.connection.server
        return Unavailable(0, "", f"the API server {server} cannot be reached: {_why(error)}")


class _Reaching:
    """Converts connection errors into Unavailable."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        from http.client import HTTPException

        if isinstance(error, HTTPException | OSError):
            self._client.close()
            raise self._client._unavailable(error) from error  # pyright: ignore[reportPrivateUsage]


def _why(error: BaseException) -> str:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused ({error.verify_message}): check certificate-authority in the kubeconfig"
    if isinstance(error, ssl.SSLError):
        return f"no TLS there ({error.reason or error}): check the port and https:// in the kubeconfig"
    if isinstance(error, ProxyRefused):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return f"the host name does not resolve ({error.strerror})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _query(**given: str) -> dict[str, str]:
    return {key: value for key, value in given.items() if value}


def _object(data: bytes, server: str) -> Json:
    with suppress(ValueError):
        obj = json.loads(data)
        if isinstance(obj, dict):
            return obj
    shown = data[:80].decode("utf-8", "replace").strip()
    raise ApiError(
        0, "", f"{server} is no Kubernetes API server: it answered {shown!r}. Check server in the kubeconfig."
    )


def _watch_error(status: Json) -> ApiError:
    code = int(status.get("code") or 500)
    message = str(status.get("message") or "the watch failed")
    if code == 410:
        return Gone(code, str(status.get("reason") or ""), message)
    return error_from(code, json.dumps(status).encode())
