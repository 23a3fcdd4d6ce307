"""AWS Elastic Load Balancing v2: the calls that read weights of listener rules and targets in service.

It uses the query protocol: forms in, XML out. Every region and every emulator supports it. An error shows only AWS'
code, because a message about a signature repeats the request with its session token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree import ElementTree

from serinus.analysis.providers.aws.credentials import credentials, region_of
from serinus.analysis.providers.aws.signature import AwsKeys, signed
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.decoding import xml_of
from serinus.analysis.providers.provider import ProviderContext

VERSION = "2015-12-01"
SECONDS = 10.0
"""Time limit of one request."""
KEYS_FOR = 60.0
"""Seconds for which keys are used: one read of a load balancer makes several calls."""
PAGE = 300
TAGS_AT_ONCE = 20
MOST_PAGES = 100
IN_SERVICE = frozenset({"healthy", "unhealthy", "unavailable", "unused"})
"""States of a target that is registered; `initial` and `draining` ones get no new requests."""
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d+)\.elb\.amazonaws\.com")
ADVICE = {
    "AccessDenied": "give the controller's AWS identity elasticloadbalancing:Describe* (docs/routers/alb.md)",
    "Throttling": "AWS limits the rate of requests; Serinus asks again",
    "ThrottlingException": "AWS limits the rate of requests; Serinus asks again",
    "ExpiredToken": "renew the controller's AWS credentials",
    "InvalidClientTokenId": "check the controller's AWS credentials",
    "SignatureDoesNotMatch": "check the controller's AWS credentials and its clock",
}


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """`resource`: the value of the load balancer controller's tag, `NAMESPACE/INGRESS-SERVICE:PORT`; "" without one."""

    arn: str
    name: str
    target_type: str
    resource: str = ""


class Elbv2:
    """The API calls, with paging. ProviderError has AWS' code and the remedy."""

    def __init__(self, reach: ProviderContext, *, tag: str = "ingress.k8s.aws/resource") -> None:
        self._reach, self._tag = reach, tag
        self._keys: dict[str, tuple[AwsKeys, float]] = {}
        """Region -> (keys, time when they were obtained)."""

    async def load_balancer(self, hostname: str) -> str | None:
        """The ARN of the load balancer with this DNS name; None if the account has none in the region."""
        async for page in self._pages("DescribeLoadBalancers", hostname, {"PageSize": str(PAGE)}):
            for each in page.findall("./DescribeLoadBalancersResult/LoadBalancers/member"):
                if each.findtext("DNSName", "").lower() == hostname.lower():
                    return each.findtext("LoadBalancerArn", "")
        return None

    async def target_groups(self, hostname: str, arn: str) -> list[TargetGroup]:
        """Target groups of a load balancer, with their tags."""
        groups: list[TargetGroup] = []
        async for page in self._pages("DescribeTargetGroups", hostname, {"LoadBalancerArn": arn}):
            for each in page.findall("./DescribeTargetGroupsResult/TargetGroups/member"):
                texts = (each.findtext(field, "") for field in ("TargetGroupArn", "TargetGroupName", "TargetType"))
                groups.append(TargetGroup(*texts))
        tags: dict[str, str] = {}
        for at in range(0, len(groups), TAGS_AT_ONCE):
            arns = {f"ResourceArns.member.{i}": g.arn for i, g in enumerate(groups[at : at + TAGS_AT_ONCE], 1)}
            page = await self._ask("DescribeTags", hostname, arns)
            for each in page.findall("./DescribeTagsResult/TagDescriptions/member"):
                named = (t for t in each.findall("./Tags/member") if t.findtext("Key", "") == self._tag)
                tags |= {each.findtext("ResourceArn", ""): tag.findtext("Value", "") for tag in named}
        return [TargetGroup(g.arn, g.name, g.target_type, tags.get(g.arn, "")) for g in groups]

    async def forwards(self, hostname: str, arn: str) -> list[dict[str, int]]:
        """For each rule of each listener that forwards: ARN of a target group -> its weight."""
        forwards: list[dict[str, int]] = []
        async for page in self._pages("DescribeListeners", hostname, {"LoadBalancerArn": arn}):
            for listener in page.findall("./DescribeListenersResult/Listeners/member"):
                of = {"ListenerArn": listener.findtext("ListenerArn", "")}
                async for rules in self._pages("DescribeRules", hostname, of):
                    for rule in rules.findall("./DescribeRulesResult/Rules/member"):
                        forwards += [dict(_groups(action)) for action in rule.findall("./Actions/member")]
        return [groups for groups in forwards if groups]

    async def targets(self, hostname: str, group: TargetGroup) -> tuple[str, ...]:
        """Addresses that have completed registration and are not being deregistered."""
        page = await self._ask("DescribeTargetHealth", hostname, {"TargetGroupArn": group.arn})
        rows = page.findall("./DescribeTargetHealthResult/TargetHealthDescriptions/member")
        serving = (row for row in rows if row.findtext("./TargetHealth/State", "") in IN_SERVICE)
        return tuple(row.findtext("./Target/Id", "") for row in serving)

    async def _pages(self, action: str, hostname: str, fields: Mapping[str, str]):
        marker = ""
        for _ in range(MOST_PAGES):
            page = await self._ask(action, hostname, {**fields, **({"Marker": marker} if marker else {})})
            yield page
            marker = page.findtext(f"./{action}Result/NextMarker", "")
            if not marker:
                return
        raise ProviderError(f"AWS answers {action} with more than {MOST_PAGES} pages")

    async def _ask(self, action: str, hostname: str, fields: Mapping[str, str]) -> ElementTree.Element:
        reach, env = self._reach, self._reach.environment
        of_name = _REGION.search(hostname)
        region = of_name.group(1) if of_name else region_of(env)
        own = env.get("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2") or env.get("AWS_ENDPOINT_URL")
        suffix = ".cn" if region.startswith("cn-") else ""
        url = own or f"https://elasticloadbalancing.{region}.amazonaws.com{suffix}/"
        body = urlencode({"Action": action, "Version": VERSION, **fields}).encode()
        keys = await self._keys_of(region)
        headers = signed(
            "POST",
            url,
            {"Content-Type": _FORM},
            body,
            keys,
            region=region,
            service="elasticloadbalancing",
            now=reach.clock(),
        )
        answer = await reach.http.request("POST", url, headers=headers, body=body, seconds=SECONDS)
        try:
            page = xml_of(answer.body)
        except ElementTree.ParseError as error:
            raise ProviderError(f"AWS answers {action} with {answer.status} and no XML") from error
        for element in page.iter():
            element.tag = element.tag.rpartition("}")[2]
        if not answer.ok:
            self._keys.clear()  # they may have expired
            code = re.sub(r"[^A-Za-z0-9.]", "", page.findtext(".//Code", "error"))[:100]
            advice = ADVICE.get(code, "")
            raise ProviderError(f"AWS answers {action} with {answer.status} {code}" + (f": {advice}" if advice else ""))
        return page

    async def _keys_of(self, region: str) -> AwsKeys:
        keys, at = self._keys.get(region, (None, 0.0))
        now = self._reach.clock()
        if keys is None or not 0 <= now - at < KEYS_FOR:
            keys = await credentials(self._reach, region=region)
            self._keys[region] = keys, now
        return keys


def _groups(action: ElementTree.Element) -> Iterator[tuple[str, int]]:
    for each in action.findall("./ForwardConfig/TargetGroups/member"):
        weight = each.findtext("Weight", "1")
        yield each.findtext("TargetGroupArn", ""), int(weight) if weight.isdecimal() else 0
