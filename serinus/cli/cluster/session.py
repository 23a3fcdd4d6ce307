"""The API server of a command line, and its errors in words for the user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from serinus.api.records import record
from serinus.api.resources import EXPERIMENTS, ROLLOUTS, Resource
from serinus.cli.framework.errors import ERROR, NOT_ALLOWED, NOT_FOUND, USAGE, Problem

if TYPE_CHECKING:
    from serinus.cli.framework.commandline import Call
    from serinus.kube.configuration.config import Connection, Flags
    from serinus.kube.errors import ApiError
    from serinus.kube.sync import SyncClient

Json = dict[str, Any]


@record()
class Session:
    """`namespace`: the user's current namespace."""

    client: SyncClient
    namespace: str
    kubeconfig: str

    def get(self, resource: Resource, name: str) -> Json:
        """One object of the user's namespace. If it does not exist: Problem with the API server's text."""
        from serinus.kube.errors import ApiError

        checked_name(name, "resource name")
        try:
            return self.client.get(resource, self.namespace, name)
        except ApiError as error:
            raise self.problem(error, resource, name) from error

    def patch(self, resource: Resource, name: str, patch: Json, *, raises_conflict: bool = False) -> Json:
        """Merge patch of the object itself. `raises_conflict`: the caller handles a Conflict."""
        from serinus.kube.errors import ApiError, Conflict

        checked_name(name, "resource name")
        try:
            return self.client.patch(resource, self.namespace, name, patch)
        except ApiError as error:
            if raises_conflict and isinstance(error, Conflict):
                raise
            raise self.problem(error, resource, name) from error

    def patch_status(self, resource: Resource, name: str, patch: Json, *, raises_conflict: bool = False) -> Json:
        """Merge patch of the status. Old definitions have no status subresource: the patch then goes to the object."""
        from serinus.kube.errors import ApiError, Conflict, NotFound

        checked_name(name, "resource name")
        try:
            return self.client.patch(resource, self.namespace, name, patch, subresource="status")
        except NotFound:
            return self.patch(resource, name, patch, raises_conflict=raises_conflict)
        except ApiError as error:
            if raises_conflict and isinstance(error, Conflict):
                raise
            raise self.problem(error, resource, name) from error

    def update(self, resource: Resource, obj: Json) -> Json:
        """Replace an object of the user's namespace. Conflict if it changed since it was read."""
        from serinus.kube.errors import ApiError, Conflict

        try:
            return self.client.update(resource, self.namespace, obj)
        except Conflict:
            raise
        except ApiError as error:
            raise self.problem(error, resource, str(obj["metadata"]["name"])) from error

    def list(self, resource: Resource, *, everywhere: bool = False, labels: str = "", fields: str = "") -> Json:
        from serinus.kube.errors import ApiError

        try:
            return self.client.list(resource, "" if everywhere else self.namespace, labels=labels, fields=fields)
        except ApiError as error:
            raise self.problem(error, resource) from error

    def problem(self, error: ApiError, resource: Resource, name: str = "") -> Problem:
        """The error's own text, and a hint."""
        code = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}.get(error.code, ERROR)
        return Problem(_message(error), self._hint(error, resource, name), code=code)

    def _hint(self, error: ApiError, resource: Resource, name: str) -> str:
        where = f"{self.client.connection.server} (from {self.kubeconfig})"
        if error.code == 404 and not (error.status or {}).get("details", {}).get("name"):
            return (
                f"{where} does not know {resource.group_resource}: its CustomResourceDefinition is not installed there. "
                "Install it, or choose another API server with --context or --kubeconfig."
            )
        if error.code == 404 and name:
            return self.nearest(resource, name)
        if error.code in (401, 403) and self.client.connection.server.startswith("http://"):
            return f"{where} is plain HTTP: no token, password or certificate is sent there. Use its https:// address."
        if error.code == 401:
            return (
                f"{where} does not accept these credentials: the token or certificate may have expired. "
                "Sign in again, or choose another user with --user or --context."
            )
        if error.code == 403:
            return f"Ask an administrator of {where} for this right, or choose another user with --context."
        if error.code == 0:
            return (
                f"This address comes from {self.kubeconfig}. Choose another with --context, --kubeconfig or --server."
            )
        return ""

    def nearest(self, resource: Resource, name: str) -> str:
        """A sentence with the most similar name; empty if none is similar."""
        import difflib

        from serinus.kube.errors import ApiError

        try:
            items = self.client.list(resource, self.namespace).get("items") or []
        except ApiError:
            return ""
        names = [str(item["metadata"]["name"]) for item in items]
        near = difflib.get_close_matches(name, names, n=1)
        if near:
            return f"Did you mean {near[0]}?"
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        if not resource.namespaced:
            return f"The cluster has: {shown}." if names else f"The cluster has no {resource.kind}."
        return (
            f"In namespace {self.namespace} there are: {shown}." if names else f"Namespace {self.namespace} has none."
        )


def open_session(call: Call) -> Session:
    """The API server that the flags and the kubeconfig name. Problem if they name none. This sends no request."""
    from serinus.kube.sync import SyncClient

    connection, flags = connection_of(call), connection_flags(call)
    return Session(SyncClient(connection), connection.namespace, _source(flags.kubeconfig, flags.server))


def connection_flags(call: Call) -> Flags:
    """kubectl's flags of the connection. A flag that the command does not have is as not given."""
    from serinus.kube.configuration.config import Flags

    names = {flag.name for flag in call.target.flags} | call.given.keys()

    def text(name: str) -> str:
        return call.text(name) if name in names else ""

    return Flags(
        kubeconfig=text("kubeconfig"),
        context=text("context"),
        cluster=text("cluster"),
        user=text("user"),
        namespace=text("namespace"),
        server=text("server"),
        token=text("token"),
        as_user=text("as"),
        as_groups=tuple(call.texts("as-group")) if "as-group" in names else (),
        as_uid=text("as-uid"),
        request_timeout=text("request-timeout"),
        certificate_authority=text("certificate-authority"),
        client_certificate=text("client-certificate"),
        client_key=text("client-key"),
        insecure_skip_tls_verify="insecure-skip-tls-verify" in names and call.truth("insecure-skip-tls-verify"),
        tls_server_name=text("tls-server-name"),
        disable_compression="disable-compression" in names and call.truth("disable-compression"),
    )


def connection_of(call: Call) -> Connection:
    """The connection data of that API server. Problem if the flags and the kubeconfig name none."""
    from serinus.kube.configuration.config import ConfigError, load

    flags = connection_flags(call)
    if flags.namespace:
        checked_name(flags.namespace, "namespace")
    try:
        return load(flags)
    except ConfigError as error:
        raise Problem(str(error)) from error


def checked_name(name: str, what: str) -> None:
    """Problem for a name that would change the API path: an empty name means all objects, and `../x` other objects."""
    if not name:
        raise Problem(f"{what} may not be empty", code=USAGE)
    if name in (".", ".."):
        raise Problem(f"invalid {what} \"{name}\": it may not be '{name}'", code=USAGE)
    for sign in "/%":
        if sign in name:
            raise Problem(f"invalid {what} \"{name}\": it may not contain '{sign}'", code=USAGE)


def _source(kubeconfig: str, server: str) -> str:
    if server:
        return "--server"
    return kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"


def _message(error: ApiError) -> str:
    if error.code == 401 and error.reason == "Unauthorized" and error.message in ("", "Unauthorized"):
        return "You must be logged in to the server (Unauthorized)"
    if error.code == 404 and "page not found" in error.message:
        return "the server could not find the requested resource"
    return error.message.strip()


__all__ = ["EXPERIMENTS", "ROLLOUTS", "Json", "Session", "connection_of", "open_session"]
