"""The user's rights, read from the API server before a button is shown. The API server still checks each change."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.resources import DEPLOYMENTS, ROLLOUTS, Resource
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)

KEPT_SECONDS = 60.0
"""Rights rarely change; the buttons follow within a minute."""

KEPT_ANSWERS = 4096


@dataclass(frozen=True, slots=True)
class Right:
    resource: Resource
    subresource: str = ""

    @property
    def words(self) -> str:
        """`patch rollouts.argoproj.io/status`"""
        return f"patch {self.resource.group_resource}" + (f"/{self.subresource}" if self.subresource else "")


STATUS, SPEC, WORKLOAD = Right(ROLLOUTS, "status"), Right(ROLLOUTS), Right(DEPLOYMENTS)


class Rights:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._answers: dict[tuple[str, Right], tuple[float, str]] = {}

    async def refusals(self, namespace: str) -> dict[Right, str]:
        """Denied right in the namespace -> reason. Allowed rights are absent."""
        return {right: why for right in (STATUS, SPEC, WORKLOAD) if (why := await self._refusal(namespace, right))}

    async def _refusal(self, namespace: str, right: Right) -> str:
        at, why = self._answers.get((namespace, right), (float("-inf"), ""))
        now = self._clock.now()
        if now - at < KEPT_SECONDS:
            return why
        try:
            why = await self._ask(namespace, right)
        except ApiError:
            why = ""  # no answer does not count as a denial: the change itself will show it
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[namespace, right] = (now, why)
        return why

    async def _ask(self, namespace: str, right: Right) -> str:
        attributes = {
            "namespace": namespace,
            "verb": "patch",
            "group": right.resource.group,
            "resource": right.resource.plural,
            "subresource": right.subresource,
        }
        answer = await self._client.create(
            REVIEWS,
            {
                "apiVersion": REVIEWS.api_version,
                "kind": REVIEWS.kind,
                "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
            },
        )
        status = answer.get("status") or {}
        if status.get("allowed"):
            return ""
        return f"you may not {right.words} in namespace {namespace}: an administrator of the cluster gives this right"
