"""Requests to the API server that carry the identity of a user, never that of the dashboard."""

from __future__ import annotations

from dataclasses import replace

from multidict import CIMultiDict

from serinus.dashboard.identity.who import Identity
from serinus.kube.configuration.config import Connection
from serinus.kube.transport import Handler, Request, Response


def anonymous(connection: Connection) -> Connection:
    """The same API server without any credential."""
    return Connection(
        server=connection.server,
        namespace=connection.namespace,
        ca=connection.ca,
        insecure=connection.insecure,
        tls_server_name=connection.tls_server_name,
        proxy=connection.proxy,
        timeout=connection.timeout,
        disable_compression=connection.disable_compression,
    )


def acting(nobody: Handler, own: Handler, who: Identity) -> Handler:
    """A Handler for this user. `nobody` adds no credential and `own` adds the dashboard's, which may impersonate."""

    async def with_token(request: Request) -> Response:
        return await nobody(replace(request, headers={**request.headers, "authorization": f"Bearer {who.token}"}))

    async def impersonating(request: Request) -> Response:
        headers = CIMultiDict(request.headers)
        headers.add("Impersonate-User", who.user)
        for group in who.groups:
            headers.add("Impersonate-Group", group)
        return await own(replace(request, headers=headers))

    return with_token if who.token else impersonating
