"""Errors of the Kubernetes API, one class for each reaction of a caller.

ApiError                    any answer that is not a success, or none
├── NotFound      404       already gone: often a success
├── AlreadyExists 409       read the existing object
├── Conflict      409       read again, plan again
├── Gone          410       list again
├── Forbidden     403, 401  a user must grant rights
├── Invalid       422, 400  the object must change
└── Unavailable   429, 5xx, no connection: try again later (after `retry_after` seconds, if set)
"""

from __future__ import annotations

import json
import re
from typing import Any

MISDIRECTED = 421
"""HTTP status for requests about a kind of another cluster that cannot be reached as configured. No API server has it."""

_DENIED = re.compile(
    r"admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied request|failed calling webhook"
)
"""Admission may answer with any code."""


class ApiError(Exception):
    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        status: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.status, self.retry_after = status or {}, retry_after

    @property
    def refused(self) -> bool:
        """Whether the server understood the write and refuses it. Retries do not fix that: a user must change an
        object, a right, a quota or a policy."""
        if self.code in (404, 408, 409, 410, MISDIRECTED, 429) or not 400 <= self.code < 500:
            return bool(_DENIED.search(str(self)))
        return True


class NotFound(ApiError): ...


class AlreadyExists(ApiError): ...


class Conflict(ApiError): ...


class Gone(ApiError): ...


class Forbidden(ApiError): ...


class Invalid(ApiError): ...


class Unavailable(ApiError): ...


_BY_CODE: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: Unavailable,
}


def error_from(code: int, body: bytes, retry_after: float | None = None) -> ApiError:
    """The error for an answer with this HTTP status code, read from its Status object if it has one."""
    from serinus.api.decoding.nesting import too_deep  # slow to import: only for failures

    try:
        decoded = None if too_deep(body) else json.loads(body)
    except ValueError:
        decoded = None
    status: dict[str, Any] = decoded if isinstance(decoded, dict) else {}
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or body[:200].decode("utf-8", "replace") or f"HTTP {code}")
    cls = AlreadyExists if reason == "AlreadyExists" else Unavailable if code >= 500 else _BY_CODE.get(code, ApiError)
    return cls(code, reason, message, status=status, retry_after=retry_after)
