"""Answers of an API server that refuses."""

from __future__ import annotations

import json
from typing import Any

from serinus.kube.transport import Response

Json = dict[str, Any]


def refuse(code: int, reason: str, message: str) -> Response:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return Response(code, json.dumps(body).encode())
