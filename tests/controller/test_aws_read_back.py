"""`--aws-verify-target-group`: a step of an ALB canary is complete when AWS has its weight in force."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from serinus.analysis.providers.errors import ProviderError
from serinus.controller.aws.elbv2 import TargetGroup
from tests.support.controller.canary_scene import begin, phase, rollout, settled_on

pytestmark = pytest.mark.looptime(start=0)
Json = dict[str, Any]
ACTION = "alb.ingress.kubernetes.io/actions.web-stable"
HOST = "web-1.eu-west-1.elb.amazonaws.com"


@dataclass
class Aws:
    """The load balancer of one Ingress. `late`: seconds until it has an annotation's weights in force. `broken`: the error of each call."""

    store: Any
    late: float = 3.0
    broken: str = ""
    weights: dict[str, int] = field(default_factory=dict[str, int])
    calls: int = 0

    def ask(self) -> None:
        self.calls += 1
        if self.broken:
            raise ProviderError(self.broken)

    async def load_balancer(self, hostname: str) -> str | None:
        self.ask()
        return "arn:lb" if hostname == HOST else None

    async def target_groups(self, hostname: str, arn: str) -> list[TargetGroup]:
        self.ask()
        ours = [TargetGroup(f"arn:{s}", s, "ip", f"a/web-{s}:80") for s in ("web-canary", "web-stable")]
        return [*ours, TargetGroup("arn:other", "other", "ip", "a/other-web:80")]

    async def forwards(self, hostname: str, arn: str) -> list[dict[str, int]]:
        self.ask()
        of_header = {"arn:web-canary": 100}
        return [of_header, {f"arn:{service}": weight for service, weight in self.weights.items()}]

    async def targets(self, hostname: str, group: TargetGroup) -> tuple[str, ...]:
        self.ask()
        return ()

    async def follow(self) -> None:
        """The load balancer controller: it carries annotations into AWS."""
        pending: list[tuple[float, dict[str, int]]] = []
        seen, loop = "", asyncio.get_running_loop()
        while True:
            notes = self.store.get("ingresses", "web")["metadata"].get("annotations") or {}
            if notes.get(ACTION, "") != seen:
                seen = notes[ACTION]
                groups = json.loads(seen)["ForwardConfig"]["TargetGroups"]
                pending.append((loop.time() + self.late, {g["ServiceName"]: g["Weight"] for g in groups}))
            while pending and loop.time() >= pending[0][0]:
                self.weights = pending.pop(0)[1]
            await asyncio.sleep(0.1)


def by_alb(image: str) -> Json:
    made = rollout(image)
    canary = made["spec"]["strategy"]["canary"]
    canary["trafficRouting"] = {"alb": {"ingress": "web", "servicePort": 80}}
    canary["steps"] = [{"setWeight": 20}, {"setWeight": 60}]
    return made


async def started(play: Any, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """A settled Rollout, and an update of it that begins."""
    aws = Aws(play.store)
    monkeypatch.setattr("serinus.controller.manager.Elbv2", lambda *_, **__: aws)
    await begin(play)
    await play.store.put("rollouts", by_alb("blue"))
    ingress = play.store.get("ingresses", "web")
    await play.store.put("ingresses", {**ingress, "status": {"loadBalancer": {"ingress": [{"hostname": HOST}]}}})
    play.controller(None, plan=None, aws_verify=True)
    play.tasks.append(asyncio.create_task(aws.follow()))
    await play.until(lambda: settled_on(play, "blue") and aws.weights)
    return aws


def status(play: Any) -> Json:
    return play.store.get("rollouts", "web")["status"]


def step(play: Any) -> int:
    return status(play).get("currentStepIndex", 0)


def condition(play: Any) -> str:
    return next((c["message"] for c in status(play)["conditions"] if c["type"] == "TrafficVerified"), "")


async def test_each_step_waits_until_aws_has_its_weight(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = await started(play, monkeypatch)
    aws.late = 25.0
    await play.store.put("rollouts", by_alb("green"))
    reached: dict[int, int] = {}

    def done() -> bool:
        if status(play)["currentPodHash"] != status(play)["stableRS"]:
            reached.setdefault(step(play), aws.weights.get("web-canary", 0))
        return settled_on(play, "green")

    await play.until(done)
    assert reached == {0: 0, 1: 20, 2: 60}, "the weight in AWS when a step began"
    assert condition(play) == ""


async def test_the_condition_says_which_weight_aws_has(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = await started(play, monkeypatch)
    aws.late = 1e6
    await play.store.put("rollouts", by_alb("green"))
    await play.until(lambda: "AWS has" in condition(play))
    assert condition(play) == "Service web-canary of Ingress web is to have weight 20, and AWS has 0"
    assert step(play) == 0


@pytest.mark.parametrize(
    "broken",
    [
        "AWS answers DescribeRules with 400 Throttling: AWS limits the rate of requests; Serinus asks again",
        "AWS answers DescribeRules with 403 AccessDenied: give the controller's AWS identity elasticloadbalancing:Describe*",
        "no answer within 10 s",
    ],
)
async def test_an_aws_that_does_not_answer_holds_the_step_and_its_words_are_in_the_condition(
    play: Any, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    aws = await started(play, monkeypatch)
    aws.broken = broken
    await play.store.put("rollouts", by_alb("green"))
    await play.until(lambda: broken in condition(play))
    await asyncio.sleep(120)
    assert step(play) == 0
    assert condition(play) == f"AWS does not say which weights Ingress web has: {broken}"
    aws.broken = ""
    await play.until(lambda: settled_on(play, "green"))


async def test_an_abort_waits_for_nothing(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = await started(play, monkeypatch)
    aws.broken = "away"
    await play.store.put("rollouts", by_alb("green"))
    await play.until(lambda: "away" in condition(play))
    await play.store.put("rollouts", by_alb("blue"))

    def weight() -> int:
        groups = json.loads(play.store.get("ingresses", "web")["metadata"]["annotations"][ACTION])
        return groups["ForwardConfig"]["TargetGroups"][0]["Weight"]

    await play.until(lambda: weight() == 0, seconds=20)
    assert "away" not in condition(play), "no weight is left to verify"


async def test_a_rollout_without_a_share_for_the_canary_asks_nothing(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = await started(play, monkeypatch)
    await asyncio.sleep(600)
    assert (phase(play), aws.calls) == ("Healthy", 0)


async def test_while_a_weight_stands_aws_is_asked_once_in_ten_seconds_at_most(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = await started(play, monkeypatch)
    aws.late = 1e6
    await play.store.put("rollouts", by_alb("green"))
    await play.until(lambda: "AWS has" in condition(play))
    before = aws.calls
    await asyncio.sleep(100)
    assert 2 * 8 <= aws.calls - before <= 2 * 11, "two calls for each reading"
