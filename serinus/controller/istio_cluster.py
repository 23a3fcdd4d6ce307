"""Requests about Istio's objects go to the cluster of a labelled Secret, if there is one; all others to the own cluster.

The Secret is read once, before the first request about Istio's objects. A refused read (no right to list Secrets) counts
as no Secret. A Secret that gives no connection, and a cluster that does not answer, are errors of each read with
MISDIRECTED: the Rollouts that name Istio's objects report them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from serinus.api.resources import SECRETS
from serinus.kube.client import Client
from serinus.kube.configuration.config import Connection, from_secret
from serinus.kube.configuration.kubeconfig import ConfigError
from serinus.kube.errors import MISDIRECTED, ApiError, Forbidden, Unavailable, error_from
from serinus.kube.transport import Handler, Request, Response
from serinus.routing.istio_cluster import LABELS, is_about_istio, primary_cluster

log = logging.getLogger(__name__)


class IstioClusterHandler:
    """`namespace`: the controller's own. `connect`: makes the handler of another cluster."""

    def __init__(self, own: Handler, namespace: str, connect: Callable[[Connection], Handler]) -> None:
        self._own, self._namespace, self._connect = own, namespace, connect
        self._chosen: tuple[str, Handler] | None = None
        self._choosing = asyncio.Lock()
        self.doubt = ""
        """Why a Secret may name another cluster, as a sentence; "" if it was read, or no request was about Istio."""

    def __call__(self, request: Request) -> Awaitable[Response]:
        return self._of_istio(request) if is_about_istio(request.path) else self._own(request)

    async def _of_istio(self, request: Request) -> Response:
        source, there = await self._cluster()
        if not source:
            return await there(request)
        try:
            answer = await there(request)
        except Unavailable as error:
            raise _elsewhere(error, source, request, str(error)) from error
        except Forbidden as error:
            raise ApiError(MISDIRECTED, error.reason, f"{source}: {error}") from error
        if answer.status in (401, 403) and request.method == "GET":
            message = error_from(answer.status, answer.body).message
            raise _elsewhere(
                Forbidden(answer.status, "Forbidden", message),
                source,
                request,
                f"{message}: grant its user get, list, watch and patch of virtualservices and destinationrules",
            )
        return answer

    async def _cluster(self) -> tuple[str, Handler]:
        """("Secret NAMESPACE/NAME", its cluster), or ("", the own cluster)."""
        async with self._choosing:
            if self._chosen is None:
                self._chosen = await self._choice()
        return self._chosen

    async def _choice(self) -> tuple[str, Handler]:
        try:
            secrets = await Client(self._own).list(SECRETS, self._namespace, type=dict, labels=LABELS)
        except Forbidden as error:
            self.doubt = f"Secrets of namespace {self._namespace} cannot be listed: {error.message}"
            log.warning("the cluster for Istio's objects is this one: Secrets cannot be listed: %s", error.message)
            return "", self._own
        try:
            secret = primary_cluster(secrets.items, self._namespace)
            if secret is None:
                return "", self._own
            connection = from_secret(secret[1], secret[0])
        except (ValueError, ConfigError, msgspec.MsgspecError) as error:
            raise ApiError(MISDIRECTED, "Misdirected", f"no cluster for Istio's objects: {error}") from error
        log.info("Istio's objects are in the cluster of %s", secret[0], extra={"fields": {"server": connection.server}})
        return secret[0], self._connect(connection)


def _elsewhere(error: ApiError, source: str, request: Request, message: str) -> ApiError:
    """A read of the other cluster that failed. A write keeps the class of its error, which decides what is done next."""
    text = f"the cluster of {source} for Istio's objects does not let them be read: {message}"
    if request.method == "GET":
        return ApiError(MISDIRECTED, error.reason, text)
    return type(error)(error.code, error.reason, f"the cluster of {source}: {message}", retry_after=error.retry_after)
