"""Failures in the format of a Kubernetes API server: `Status` objects with reason, details, causes and code.

Any code below `ApiServer.handle` may raise `StatusError`; `handle` turns it into the response. The texts are part of
the interface: kubectl prints them and programs compare reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from serinus.api.resources import Resource
from serinus.kube.transport import Response

Json = dict[str, Any]
MOST_FLAWS = 200
"""Maximum flaws in one response. Each repeats its path and value, so thousands would need many megabytes."""

_LONGEST_FLAW = 4096


class Flaw(Protocol):
    """One invalid field of an object, in the form of the schemas' `FieldError`."""

    @property
    def path(self) -> str: ...
    @property
    def type(self) -> str: ...
    def message(self) -> str: ...


class StatusError(Exception):
    """An error response. `retry_after` in seconds becomes the header of that name."""

    def __init__(
        self, code: int, reason: str, message: str, details: Json | None = None, *, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.retry_after = details, retry_after

    def status(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        details = dict(self.details or {})
        if self.retry_after:
            details["retryAfterSeconds"] = self.retry_after
        if details:
            status["details"] = details
        status["code"] = self.code
        return status

    def response(self) -> Response:
        headers = {"retry-after": str(self.retry_after)} if self.retry_after else {}
        return Response(self.code, msgspec.json.encode(self.status()), headers=headers)


def about(resource: Resource, name: str = "") -> Json:
    """`details` that identify an object by its resource's plural."""
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural}


def not_found(resource: Resource, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{resource.group_resource} "{name}" not found', about(resource, name))


def no_such_path() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> StatusError:
    return StatusError(
        409, "AlreadyExists", f'{resource.group_resource} "{name}" already exists', about(resource, name)
    )


def conflict(resource: Resource, name: str, why: str = "") -> StatusError:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, about(resource, name))


def apply_conflict(message: str, conflicts: Iterable[tuple[str, str]]) -> StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": path}
        for manager, path in conflicts
    ]
    return StatusError(409, "Conflict", message, {"causes": causes})


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str, causes: list[Json] | None = None) -> StatusError:
    details = about(resource, name) | ({"causes": causes} if causes else {})
    subject = f'{resource.group_resource} "{name}"' if name else resource.group_resource
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unsupported_media(accepted: Iterable[str]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return StatusError(415, "UnsupportedMediaType", message, {})


def not_acceptable(accepted: Iterable[str]) -> StatusError:
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return StatusError(406, "NotAcceptable", message, {})


def too_large(limit: int) -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}", {})


def body_encoded(encoding: str) -> StatusError:
    return StatusError(
        415, "UnsupportedMediaType", f"Content-Encoding: {encoding[:40]!r} is not supported: send the body as it is", {}
    )


def slow_body(seconds: float) -> StatusError:
    return StatusError(408, "Timeout", f"the body of the request did not arrive within {seconds:g} s", {})


def too_many_connections() -> StatusError:
    message = "too many connections are open: close those of other clients, such as watches"
    return StatusError(503, "ServiceUnavailable", message, {}, retry_after=5)


def object_too_large(size: int, limit: int) -> StatusError:
    return StatusError(
        413,
        "RequestEntityTooLarge",
        f"Request entity too large: the object has {size} bytes as JSON, the limit is {limit}",
    )


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_large_version(asked: int, current: int) -> StatusError:
    message = f"Too large resource version: {asked}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return StatusError(504, "Timeout", message, {"causes": [cause]}, retry_after=1)


def not_offered(what: str) -> StatusError:
    """The error for parts of the API that need a real cluster, with the alternative."""
    return StatusError(501, "NotImplemented", what, {})


def invalid(group: str, kind: str, name: str, flaws: Iterable[Flaw]) -> StatusError:
    """422 with a cause for each flaw. Like the real server, it lists equal flaws once; the limit is MOST_FLAWS."""
    causes: dict[str, Json] = {}
    more = 0
    for flaw in flaws:
        if len(causes) >= MOST_FLAWS:
            more += 1
            continue
        text = _cut(flaw.message())
        if text not in causes:
            reason = text.removeprefix(flaw.path + ": ")
            causes[text] = {"reason": flaw.type, "message": reason, "field": _cut(flaw.path)}
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details |= {"kind": kind, "causes": list(causes.values())}
    subject = f"{kind}.{group}" if group else kind
    texts = [*causes, *([f"and {more} more"] if more else [])]
    reasons = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    return StatusError(422, "Invalid", f'{subject} "{name}" is invalid: {reasons}', details)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_FLAW else f"{text[:_LONGEST_FLAW]}…"
