"""GitHub, as an App: commit statuses, deployments, comments on pull requests, check runs, repository dispatches."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.services.json_web_token import signed_token
from serinus.notifications.services.service import (
    Delayed,
    NotificationService,
    Refused,
    SendRequest,
    Tls,
    ask,
    host_of,
    parsed,
    verdict,
)

_BEFORE_PATH = re.compile(r"^(?:[a-z+]+://[^/]*/|[^/@]+@[^:/]+:)")

log = logging.getLogger(__name__)

API = "https://api.github.com"
LONGEST_DESCRIPTION, LONGEST_COMMENT = 140, 65536
TOKEN_SECONDS = 540


class GitHubOptions(Tls, rename="camel"):
    app_id: str = msgspec.field(default="", name="appID")
    installation_id: str = msgspec.field(default="", name="installationID")
    private_key: str = ""
    enterprise_base_url: str = msgspec.field(default="", name="enterpriseBaseURL")


class Status(msgspec.Struct):
    state: str = ""
    label: str = ""
    target_url: str = msgspec.field(default="", name="targetURL")


class GitHubDeployment(msgspec.Struct, rename="camel"):
    state: str = ""
    environment: str = ""
    environment_url: str = msgspec.field(default="", name="environmentURL")
    log_url: str = msgspec.field(default="", name="logURL")
    required_contexts: list[str] = []
    auto_merge: bool = True
    transient_environment: bool = False
    reference: str = ""


class PullRequestComment(msgspec.Struct, rename="camel"):
    content: str = ""
    comment_tag: str = ""


class Output(msgspec.Struct):
    title: str = ""
    summary: str = ""
    text: str = ""


class CheckRun(msgspec.Struct):
    name: str = ""
    details_url: str = ""
    status: str = ""
    conclusion: str = ""
    started_at: str = ""
    completed_at: str = ""
    output: Output | None = None


class RepositoryDispatch(msgspec.Struct):
    event_type: str = ""
    client_payload: str = ""


class GitHubSection(msgspec.Struct, rename="camel"):
    repo_url_path: str = msgspec.field(default="", name="repoURLPath")
    revision_path: str = ""
    status: Status | None = None
    deployment: GitHubDeployment | None = None
    pull_request_comment: PullRequestComment | None = None
    check_run: CheckRun | None = None
    repository_dispatch: RepositoryDispatch | None = None


class GitHub(NotificationService[GitHubOptions, GitHubSection]):
    type = "github"
    section = "github"
    Options = GitHubOptions
    Section = GitHubSection

    def check(self, options: GitHubOptions) -> str:
        for name, text in (("appID", options.app_id), ("installationID", options.installation_id)):
            if not text.isdecimal():
                return f"{name} must be a number"
        return ""

    def host(self, options: GitHubOptions, recipient: str) -> str:
        return host_of(options.enterprise_base_url or API)

    async def send(self, options: GitHubOptions, job: SendRequest) -> Mapping[str, str] | None:
        section: GitHubSection | None = job.section
        if section is None:
            raise Refused("the template has no part for github")
        repository, revision = full_name(section.repo_url_path), section.revision_path
        api = _Api(options, job, await _token(options, job), f"repos/{repository}")
        parts: list[tuple[str, Any, Callable[[_Api, Any, str], Awaitable[None]]]] = [
            ("status", section.status, _status),
            ("deployment", section.deployment, _deployment),
            ("comment", section.pull_request_comment, _comment),
            ("check run", section.check_run, _check_run),
            ("dispatch", section.repository_dispatch, _dispatch),
        ]
        for name, part, send in parts:
            if part is not None and name not in job.done:
                await send(api, part, revision)
                job.done[name] = ""
        return None


def full_name(url: str) -> str:
    """`owner/repository` from any form of a repository's URL. Refused if it has none."""
    path = _BEFORE_PATH.sub("", url.strip())
    parts = [part for part in path.removesuffix(".git").split("/") if part]
    if len(parts) < 2:
        raise Refused(f"GitHub.repoURL ({url[:200]}) does not have a `/`: set repoURLPath")
    return "/".join(quote(part, safe="") for part in parts[:2])


def _base(options: GitHubOptions) -> str:
    given = options.enterprise_base_url.rstrip("/")
    if not given:
        return API
    return given if given.endswith("/api/v3") or "api." in host_of(given) else f"{given}/api/v3"


async def _token(options: GitHubOptions, job: SendRequest) -> str:
    now = int(job.reach.clock())
    claims = {"iat": now - 60, "exp": now + TOKEN_SECONDS, "iss": options.app_id}
    headers = {
        "Authorization": f"Bearer {signed_token(claims, options.private_key)}",
        "Accept": "application/vnd.github+json",
    }
    # An enterprise server has installation tokens below the given address. The reference requests them there too.
    base = options.enterprise_base_url.rstrip("/") or API
    url = f"{base}/app/installations/{options.installation_id}/access_tokens"
    answer = await ask(job, "POST", url, headers=headers, insecure=options.insecure_skip_verify)
    token = _object(answer).get("token")
    if not isinstance(token, str):
        raise Delayed("GitHub's answer has no token")
    hide(token)
    return token


def _object(answer: HttpResponse) -> dict[str, Any]:
    try:
        reply = answer.json()
    except ProviderError:
        raise Delayed("GitHub's answer is no JSON") from None
    return reply if isinstance(reply, dict) else {}


class _Api:
    """Calls below one repository."""

    def __init__(self, options: GitHubOptions, job: SendRequest, token: str, below: str) -> None:
        self.job, self._options = job, options
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        self._base = f"{_base(options)}/{below}"

    async def call(self, method: str, path: str, body: Any = None, *, also: tuple[int, ...] = ()) -> HttpResponse:
        return await ask(
            self.job,
            method,
            f"{self._base}/{path}",
            headers=self._headers,
            json=body,
            insecure=self._options.insecure_skip_verify,
            accept=lambda answer: answer.ok or answer.status in also,
        )

    async def list(self, path: str) -> list[dict[str, Any]]:
        try:
            items = (await self.call("GET", path)).json()
        except ProviderError:
            raise Delayed("GitHub's answer is no JSON") from None
        return [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []


async def _status(api: _Api, status: Status, revision: str) -> None:
    body = {
        "state": status.state,
        "description": shortened(api.job.message, LONGEST_DESCRIPTION),
        "context": status.label,
        "target_url": status.target_url,
    }
    answer = await api.call("POST", f"statuses/{quote(revision, safe='')}", body, also=(422,))
    if answer.status == 422:
        log.warning("GitHub takes no more statuses for commit %s and context %s", revision, status.label)


async def _deployment(api: _Api, desired: GitHubDeployment, revision: str) -> None:
    query = urlencode({"ref": revision, "environment": desired.environment})
    deployments = await api.list(f"deployments?{query}")
    if deployments:
        number = deployments[0].get("id")
    else:
        body = {
            "ref": desired.reference or revision,
            "environment": desired.environment,
            "required_contexts": desired.required_contexts,
            "auto_merge": desired.auto_merge,
            "transient_environment": desired.transient_environment,
        }
        number = verdict(await api.call("POST", "deployments", body), "GitHub").get("id")
    state = {
        "state": desired.state,
        "log_url": desired.log_url,
        "description": shortened(api.job.message, LONGEST_DESCRIPTION),
        "environment": desired.environment,
        "environment_url": desired.environment_url,
    }
    await api.call("POST", f"deployments/{number}/statuses", state)


async def _comment(api: _Api, desired: PullRequestComment, revision: str) -> None:
    tag = f"<!-- argocd-notifications {desired.comment_tag} -->" if desired.comment_tag else ""
    body = shortened(desired.content, LONGEST_COMMENT - len(tag) - 1)
    body = f"{body}\n{tag}" if tag else body
    for pull in await api.list(f"commits/{quote(revision, safe='')}/pulls"):
        place = f"comment on {pull.get('number')}"
        if place in api.job.done:
            continue
        earlier: list[dict[str, Any]] = (
            await api.list(f"issues/{pull.get('number')}/comments?per_page=100") if tag else []
        )
        known = next((one for one in earlier if tag in str(one.get("body"))), None)
        if known is not None:
            await api.call("PATCH", f"issues/comments/{known.get('id')}", {"body": body})
        else:
            await api.call("POST", f"issues/{pull.get('number')}/comments", {"body": body})
        api.job.done[place] = ""


async def _dispatch(api: _Api, desired: RepositoryDispatch, _: str) -> None:
    payload = parsed(desired.client_payload or "{}", "client_payload", dict)
    await api.call("POST", "dispatches", {"event_type": desired.event_type, "client_payload": payload})


async def _check_run(api: _Api, desired: CheckRun, revision: str) -> None:
    status = desired.status or ("completed" if desired.conclusion else "")
    if (status == "completed" or desired.completed_at) and not desired.conclusion:
        raise Refused("github checkrun: conclusion is required when status is completed or completed_at is set")
    more = {
        "status": status,
        "conclusion": desired.conclusion,
        "started_at": desired.started_at,
        "completed_at": desired.completed_at,
    }
    body: dict[str, Any] = {
        "name": desired.name,
        "head_sha": revision,
        "external_id": "argocd-notifications",
        "details_url": desired.details_url,
        **{name: value for name, value in more.items() if value},
    }
    if desired.output is not None:
        body["output"] = msgspec.to_builtins(desired.output)
    await api.call("POST", "check-runs", body)


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
