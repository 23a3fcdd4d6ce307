"""The user's rights, read from the API server before a button or an object is shown. The API server still checks each
change.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.resources import DEPLOYMENTS, ROLLOUTS, Resource
from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.kube.errors import ApiError

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)

KEPT_SECONDS = 30.0
"""Rights rarely change; the buttons and the shown namespaces follow within half a minute."""

DENIED_SECONDS = 120.0
"""A user of few namespaces in a large cluster has many denied rights. The dashboard reads them less often."""

HELD_SECONDS = 300.0
"""An answer counts this long while the API server gives no new one."""

KEPT_ANSWERS = 4096


@dataclass(frozen=True, slots=True)
class Right:
    resource: Resource
    subresource: str = ""
    verb: str = "patch"

    @property
    def words(self) -> str:
        """`patch rollouts.argoproj.io/status`"""
        return f"{self.verb} {self.resource.group_resource}" + (f"/{self.subresource}" if self.subresource else "")


STATUS, SPEC, WORKLOAD = Right(ROLLOUTS, "status"), Right(ROLLOUTS), Right(DEPLOYMENTS)


class Rights:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._answers: dict[tuple[str, Right], tuple[float, str]] = {}

    async def refusals(self, namespace: str) -> dict[Right, str]:
        """Denied right in the namespace -> reason. Allowed rights are absent.

        No answer does not count as a denial: the change itself will show it.
        """
        refused: dict[Right, str] = {}
        for right in (STATUS, SPEC, WORKLOAD):
            try:
                why = await self.refusal(namespace, right)
            except ApiError:
                continue
            if why:
                refused[right] = why
        return refused

    async def refusal(self, namespace: str, right: Right) -> str:
        """Why the user lacks the right in the namespace ("": in all); empty if he has it. Raises ApiError."""
        at, why = self._answers.get((namespace, right), (float("-inf"), ""))
        now = self._clock.now()
        if now - at < (DENIED_SECONDS if why else KEPT_SECONDS):
            return why
        try:
            why = await self._ask(namespace, right)
        except ApiError as error:
            if error.code == 401 or now - at >= HELD_SECONDS:
                raise
            return why
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[namespace, right] = (now, why)
        return why

    async def _ask(self, namespace: str, right: Right) -> str:
        attributes = {
            "namespace": namespace,
            "verb": right.verb,
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
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        return f"you may not {right.words} {where}: an administrator of the cluster gives this right"
