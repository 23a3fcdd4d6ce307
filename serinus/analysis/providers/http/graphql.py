"""Responses of GraphQL: data or errors."""

from __future__ import annotations

from typing import Any

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse, refused


def data_of(answer: HttpResponse) -> dict[str, Any]:
    """`data` of the response. ProviderError with the messages of its errors."""
    if not answer.ok:
        raise refused(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise ProviderError("the answer is none of GraphQL: it is no object")
    errors = body.get("errors")
    if errors:
        each: list[Any] = errors if isinstance(errors, list) else [errors]
        messages = [str(error.get("message", error)) if isinstance(error, dict) else str(error) for error in each]
        raise ProviderError("", ", ".join(messages))
    data = body.get("data")
    return data if isinstance(data, dict) else {}
