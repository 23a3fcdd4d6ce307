"""Whether a namespace exists, for the view of one without Rollouts. Read with the user's own rights."""

from __future__ import annotations

from aiohttp import web

from serinus.api.resources import NAMESPACES
from serinus.dashboard.identity.gate import viewer_of
from serinus.kube.errors import ApiError


def add_routes(app: web.Application, base: str) -> None:
    app.add_routes([web.get(f"{base}/namespaces/{{ns}}", _namespace)])


async def _namespace(request: web.Request) -> web.StreamResponse:
    """`found`: yes, no or unknown; `why`: the reason of unknown."""
    try:
        await viewer_of(request).client.get(NAMESPACES, request.match_info["ns"])
    except ApiError as error:
        if error.code == 404:
            return web.json_response({"found": "no", "why": ""})
        return web.json_response({"found": "unknown", "why": error.message or "the API server does not answer"})
    return web.json_response({"found": "yes", "why": ""})
