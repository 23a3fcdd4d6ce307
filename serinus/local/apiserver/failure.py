"""Answers that are not a success: Status objects in the words of a real API server.

Source: Kubernetes API conventions, "Response Status Kind".
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api.resources import Resource
from serinus.kube.wire import Response

Json = dict[str, Any]


class Failure(Exception):
    """Ends a request with this Status."""

    def __init__(self, code: int, reason: str, message: str, *, details: Json | None = None, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details = details or {}
        self.retry_after = retry_after

    def status(self) -> Json:
        body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "reason": self.reason}
        if self.details:
            body["details"] = self.details
        return body | {"code": self.code}

    def response(self) -> Response:
        headers = {"retry-after": str(self.retry_after)} if self.retry_after is not None else {}
        return Response(self.code, msgspec.json.encode(self.status()), headers=headers)


def _details(resource: Resource, name: str, **more: Any) -> Json:
    return {k: v for k, v in {"name": name, "group": resource.group, "kind": resource.plural, **more}.items() if v}


def not_found(resource: Resource, name: str) -> Failure:
    return Failure(404, "NotFound", f'{resource.group_resource} "{name}" not found', details=_details(resource, name))


def no_such_path() -> Failure:
    return Failure(404, "NotFound", "the server could not find the requested resource")


def already_exists(resource: Resource, name: str) -> Failure:
    return Failure(409, "AlreadyExists", f'{resource.group_resource} "{name}" already exists', details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = "the object has been modified; please apply your changes to the latest version and try again") -> Failure:
    return Failure(409, "Conflict", f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {why}', details=_details(resource, name))


def bad_request(message: str) -> Failure:
    return Failure(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str) -> Failure:
    return Failure(403, "Forbidden", f'{resource.group_resource} "{name}" is forbidden: {why}', details=_details(resource, name))


def expired(message: str = "The provided continue parameter is too old to display a consistent list result.") -> Failure:
    return Failure(410, "Expired", message)


def method_not_allowed() -> Failure:
    return Failure(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media(message: str) -> Failure:
    return Failure(415, "UnsupportedMediaType", message)


def invalid(resource: Resource, name: str, causes: list[tuple[str, str, str]]) -> Failure:
    """`causes`: (type, path, text without path) for each wrong field."""
    told = [f"{path}: {text}" if path else text for _, path, text in causes]
    joined = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: Json = {"name": name, "group": resource.group, "kind": resource.kind}
    details = {k: v for k, v in details.items() if v} | {"causes": [{"reason": t, "message": m, "field": p} for t, p, m in causes]}
    return Failure(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details=details)
