"""The calls of AWS Elastic Load Balancing v2: paging, tags, weights, targets, and each kind of refusal.

The answers have the form of moto's (5.2), a stand-in for AWS. It is too large to be installed for every run of the tests:
`SERINUS_MOTO=DIR/bin pytest tests/controller/test_elbv2.py` asks a real one, where DIR is a virtual environment with `moto[server]`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import Http
from serinus.analysis.providers.provider import ProviderContext
from serinus.controller.aws.elbv2 import Elbv2, TargetGroup

HOST = "web-1.eu-west-1.elb.amazonaws.com"
MOTO = os.environ.get("SERINUS_MOTO", "")
GROUPS = "".join(
    f"<member><TargetGroupArn>arn:{name}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName>"
    "<TargetType>ip</TargetType></member>"
    for name in ("web", "web-canary")
)
TAGS = "".join(
    f"<member><ResourceArn>arn:{name}</ResourceArn><Tags><member><Key>team</Key><Value>shop</Value></member>"
    f"<member><Key>ingress.k8s.aws/resource</Key><Value>shop/front-{name}:80</Value></member></Tags></member>"
    for name in ("web", "web-canary")
)
FORWARD = (
    "<member><Actions><member><Type>forward</Type><ForwardConfig><TargetGroups><member><TargetGroupArn>arn:web-canary"
    "</TargetGroupArn><Weight>20</Weight></member><member><TargetGroupArn>arn:web</TargetGroupArn><Weight>80</Weight>"
    "</member></TargetGroups></ForwardConfig></member></Actions></member>"
)
FIXED = "<member><Actions><member><Type>fixed-response</Type></member></Actions></member>"
STATES = {"10.0.0.1": "healthy", "10.0.0.2": "initial", "10.0.0.3": "draining", "10.0.0.4": "unhealthy"}
TARGETS = "".join(
    f"<member><Target><Id>{ip}</Id></Target><TargetHealth><State>{state}</State></TargetHealth></member>"
    for ip, state in STATES.items()
)
OF = "<{0}><member><{1}Arn>arn:{2}</{1}Arn><DNSName>{2}</DNSName></member></{0}>"
ANSWERS: dict[tuple[str, str], str] = {
    ("DescribeLoadBalancers", ""): OF.format("LoadBalancers", "LoadBalancer", "other") + "<NextMarker>2</NextMarker>",
    ("DescribeLoadBalancers", "2"): OF.format("LoadBalancers", "LoadBalancer", HOST),
    ("DescribeTargetGroups", ""): f"<TargetGroups>{GROUPS}</TargetGroups>",
    ("DescribeTags", ""): f"<TagDescriptions>{TAGS}</TagDescriptions>",
    ("DescribeListeners", ""): OF.format("Listeners", "Listener", "80"),
    ("DescribeRules", ""): f"<Rules>{FIXED}</Rules><NextMarker>2</NextMarker>",
    ("DescribeRules", "2"): f"<Rules>{FORWARD}</Rules>",
    ("DescribeTargetHealth", ""): f"<TargetHealthDescriptions>{TARGETS}</TargetHealthDescriptions>",
}
WEB = TargetGroup("arn:web", "web", "ip", "shop/front-web:80")
CANARY = TargetGroup("arn:web-canary", "web-canary", "ip", "shop/front-web-canary:80")


def answered(action: str, marker: str) -> web.Response:
    inside = ANSWERS[action, marker]
    text = f'<{action}Response xmlns="http://aws"><{action}Result>{inside}</{action}Result></{action}Response>'
    return web.Response(text=text, content_type="text/xml")


def reach_of(url: str) -> ProviderContext:
    environment = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_ENDPOINT_URL": url}
    return ProviderContext(Http(), cast(Any, None), time.time, environment=environment)


Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def listening(*routes: tuple[str, str, Handler]) -> AsyncGenerator[str]:
    """The URL of a server with these routes: method, path, handler."""
    app = web.Application()
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def aws(refusal: web.Response | None = None) -> AsyncGenerator[Elbv2]:
    async def handle(request: web.Request) -> web.Response:
        form = {key: values[0] for key, values in parse_qs(await request.text()).items()}
        assert "/eu-west-1/elasticloadbalancing/aws4_request" in request.headers["Authorization"]
        return refusal or answered(form["Action"], form.get("Marker", ""))

    async with listening(("POST", "/", handle)) as url:
        reach = reach_of(url)
        yield Elbv2(reach)
        await reach.close()


async def test_a_load_balancer_is_found_by_its_name_on_any_page() -> None:
    async with aws() as elb:
        assert await elb.load_balancer(HOST) == f"arn:{HOST}"
        assert await elb.load_balancer("gone.eu-west-1.elb.amazonaws.com") is None


async def test_target_groups_have_the_tag_of_their_ingress_and_rules_their_weights() -> None:
    async with aws() as elb:
        assert await elb.target_groups(HOST, "arn") == [WEB, CANARY]
        assert await elb.forwards(HOST, "arn") == [{"arn:web-canary": 20, "arn:web": 80}]


async def test_a_target_that_is_being_registered_or_drained_gets_no_new_requests() -> None:
    async with aws() as elb:
        assert await elb.targets(HOST, WEB) == ("10.0.0.1", "10.0.0.4")


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>", "403 AccessDenied: give the controller's AWS identity"),
        (400, "<Error><Code>Throttling</Code></Error>", "400 Throttling: AWS limits the rate of requests; Serinus asks again"),
        (400, "<Error><Code>SignatureDoesNotMatch</Code><Message>AKID token</Message></Error>", "check the controller's AWS credentials"),
        (503, "<html>", "503 and no XML"),
        (500, "<Error/>", "500 error"),
    ],
)  # fmt: skip
async def test_a_refusal_has_its_code_and_no_text_of_the_request(status: int, text: str, said: str) -> None:
    async with aws(web.Response(status=status, text=text)) as elb:
        with pytest.raises(ProviderError) as error:
            await elb.load_balancer(HOST)
    assert said in str(error.value)
    assert "AKID" not in str(error.value)


async def test_the_calls_of_one_read_ask_for_keys_once() -> None:
    asked, refused, now = list[str](), list[str](), [1_700_000_000.0]

    async def keys(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"AccessKeyId": "AKID", "SecretAccessKey": "secret", "Token": str(len(asked))})

    async def handle(request: web.Request) -> web.Response:
        form = {key: values[0] for key, values in parse_qs(await request.text()).items()}
        if refused:
            return web.Response(status=403, text="<Error><Code>ExpiredToken</Code></Error>")
        return answered(form["Action"], form.get("Marker", ""))

    async with listening(("GET", "/keys", keys), ("POST", "/", handle)) as url:
        environment = {"AWS_ENDPOINT_URL": url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}keys", "HOME": "/nowhere"}
        reach = ProviderContext(Http(), cast(Any, None), lambda: now[0], environment=environment)
        elb = Elbv2(reach)
        await elb.forwards(HOST, "arn")
        await elb.targets(HOST, WEB)
        assert len(asked) == 1
        now[0] += 61
        await elb.targets(HOST, WEB)
        assert len(asked) == 2
        refused.append("now")
        with pytest.raises(ProviderError, match="ExpiredToken"):
            await elb.targets(HOST, WEB)
        refused.clear()
        await elb.targets(HOST, WEB)
        assert len(asked) == 3
        await reach.close()


MAKE = """
import boto3, sys
k = dict(endpoint_url=sys.argv[1], region_name="eu-west-1", aws_access_key_id="AKID", aws_secret_access_key="b")
ec2, elb = boto3.client("ec2", **k), boto3.client("elbv2", **k)
vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
subs = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{i}.0/24", AvailabilityZone=f"eu-west-1{z}")["Subnet"]["SubnetId"] for i, z in enumerate("ab")]
lb = elb.create_load_balancer(Name="web", Subnets=subs)["LoadBalancers"][0]
tag = lambda s: [dict(Key="ingress.k8s.aws/resource", Value=f"shop/front-{s}:80")]
new = lambda s: elb.create_target_group(Name=s, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip", Tags=tag(s))
web, canary = (new(s)["TargetGroups"][0]["TargetGroupArn"] for s in ("web", "web-canary"))
elb.register_targets(TargetGroupArn=web, Targets=[dict(Id="10.0.0.5", Port=80)])
fixed = [dict(Type="fixed-response", FixedResponseConfig=dict(StatusCode="404"))]
li = elb.create_listener(LoadBalancerArn=lb["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=fixed)["Listeners"][0]
groups = [dict(TargetGroupArn=canary, Weight=20), dict(TargetGroupArn=web, Weight=80)]
elb.create_rule(ListenerArn=li["ListenerArn"], Priority=1, Conditions=[dict(Field="path-pattern", Values=["/*"])],
                Actions=[dict(Type="forward", ForwardConfig=dict(TargetGroups=groups))])
print(lb["DNSName"])
"""  # noqa: E501


@pytest.mark.skipif(not MOTO, reason="SERINUS_MOTO names no virtual environment with moto[server]")
async def test_a_real_stand_in_for_aws_is_read() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url, programs = f"http://127.0.0.1:{port}", Path(MOTO)
    quiet = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(programs / "moto_server", "-p", str(port), stdout=quiet, stderr=quiet)
    reach = reach_of(url)
    try:
        while True:
            try:
                await reach.http.request("GET", f"{url}/moto-api/", seconds=5)
                break
            except ProviderError:
                await asyncio.sleep(0.2)
        maker = await asyncio.create_subprocess_exec(
            programs / "python", "-c", MAKE, url, stdout=asyncio.subprocess.PIPE
        )
        host = (await maker.communicate())[0].decode().strip()
        elb = Elbv2(reach)
        arn = await elb.load_balancer(host)
        assert arn is not None
        groups = {group.name: group for group in await elb.target_groups(host, arn)}
        assert {name: group.resource for name, group in groups.items()} == {
            "web": "shop/front-web:80",
            "web-canary": "shop/front-web-canary:80",
        }
        assert await elb.forwards(host, arn) == [{groups["web-canary"].arn: 20, groups["web"].arn: 80}]
        assert await elb.targets(host, groups["web"]) == ("10.0.0.5",)
    finally:
        await reach.close()
        server.terminate()
        await server.wait()
