"""The end of a Job's log, for the page of the Rollout whose analysis started the Job.

A log may hold secrets: only a signed-in user reads it, with his own rights.
"""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from serinus.api.resources import PODS
from serinus.dashboard.identity.gate import ASKER
from serinus.kube.client import Client
from serinus.kube.errors import ApiError

LINES = 40
BYTES = 16 * 1024
"""Most of a log that is shown."""


def add_routes(app: web.Application, base: str) -> None:
    app.add_routes([web.get(f"{base}/jobs/{{ns}}/{{job}}/log", _log)])


async def _log(request: web.Request) -> web.StreamResponse:
    asker = request[ASKER]
    if not asker.signed_in:
        return _answer(403, "error", "Open the dashboard at the address that it printed, with its token, to read logs.")
    try:
        text = await log_end(asker.viewer.client, request.match_info["ns"], request.match_info["job"])
    except ApiError as error:
        return _answer(
            error.code if error.code >= 400 else 502, "error", error.message or "the API server does not answer"
        )
    return _answer(200, "log", text)


async def log_end(client: Client, namespace: str, job: str) -> str:
    """The last lines of the newest pod of the Job. Raises ApiError."""
    pods = (await client.list(PODS, namespace, labels=f"job-name={job}")).items
    if not pods:
        return "The Job has no pod any more: its log is gone."
    newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""))
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(str(newest['metadata']['name']))}/log"
    answer = await client.raw("GET", path, query={"tailLines": str(LINES), "limitBytes": str(BYTES)})
    return answer.body.decode(errors="replace")


def _answer(status: int, name: str, text: str) -> web.Response:
    return web.json_response({name: text}, status=status)
