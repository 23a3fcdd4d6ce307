"""Signatures, keys and CloudWatch."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from serinus.analysis.providers.aws.credentials import credentials
from serinus.analysis.providers.aws.signature import AwsKeys, signed
from serinus.analysis.providers.errors import ProviderError
from tests.support.analysis.vendor import Reply, World


def test_a_request_is_signed_as_amazon_documents_it() -> None:
    """The example of the AWS documentation (IAM, ListUsers), with its signature."""
    keys = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    headers = signed(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        b"",
        keys,
        region="us-east-1",
        service="iam",
        now=1440938160.0,
    )
    assert headers["X-Amz-Date"] == "20150830T123600Z"
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_the_port_is_part_of_what_is_signed() -> None:
    """Servers check the Host header as it was sent."""
    signatures = {
        signed("GET", url, {}, b"", AwsKeys("A", "B"), region="r", service="s", now=0.0)["Authorization"]
        for url in ("http://host/", "http://host:8000/")
    }
    assert len(signatures) == 2


STS = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
JSON_KEYS = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t"}
FOUND = AwsKeys("ASIA", "s", "t")


async def test_keys_of_the_environment_come_first(world: World) -> None:
    world.environment |= {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key-of-env"}
    assert await credentials(world.reach()) == AwsKeys("AKID", "key-of-env")


async def test_a_profile_of_the_credentials_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n[p]\naws_access_key_id=C\n")
    world.environment |= {"AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_EC2_METADATA_DISABLED": "true"}
    assert await credentials(world.reach()) == AwsKeys("A", "B")
    assert await credentials(world.reach(), profile="p") == AwsKeys("A", "B")
    file.write_text("nonsense")
    with pytest.raises(ProviderError, match="cannot be read"):
        await credentials(world.reach())


async def test_a_web_identity_is_exchanged_without_a_signature(world: World, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("jwt\n")
    world.environment |= {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_ARN": "arn:r",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_STS": f"{world.url}/sts",
    }
    world.vendor.says("/sts", STS, Reply("<Error/>", 403))
    assert await credentials(world.reach()) == FOUND
    (asked,) = world.vendor.asked
    form = parse_qs(asked.body.decode())
    assert (form["Action"], form["WebIdentityToken"]) == (["AssumeRoleWithWebIdentity"], ["jwt"])
    assert "authorization" not in asked.headers
    with pytest.raises(ProviderError, match="AWS refused the role arn:r: 403"):
        await credentials(world.reach())


async def test_a_role_is_taken_on_with_the_keys_that_were_found(world: World) -> None:
    world.environment |= {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "key-of-env",
        "AWS_ENDPOINT_URL_STS": f"{world.url}/sts",
    }
    world.vendor.says("/sts", STS)
    assert await credentials(world.reach(), role_arn="arn:r", region="eu-west-1") == FOUND
    assert "Credential=AKID/20260921/eu-west-1/sts/" in world.vendor.asked[0].headers["authorization"]


async def test_a_containers_endpoint(world: World, tmp_path: Path) -> None:
    world.environment |= {
        "HOME": str(tmp_path),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{world.url}/keys",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret",
    }
    world.vendor.says("/keys", JSON_KEYS)
    assert await credentials(world.reach()) == FOUND
    assert world.vendor.asked[0].headers["authorization"] == "secret"


async def test_the_metadata_service_of_the_machine(world: World, tmp_path: Path) -> None:
    world.environment |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_SERVICE_ENDPOINT": world.url}
    root = "/latest/meta-data/iam/security-credentials/"
    world.vendor.says("/latest/api/token", "session")
    world.vendor.says(root, "my-role\n")
    world.vendor.says(f"{root}my-role", JSON_KEYS)
    assert await credentials(world.reach()) == FOUND
    assert world.vendor.asked[2].headers["x-aws-ec2-metadata-token"] == "session"
    world.vendor.says(root, Reply("", 404))
    with pytest.raises(ProviderError, match="no AWS credentials: neither"):
        await credentials(world.reach())


@pytest.fixture
def cloud_watch(world: World) -> World:
    world.environment |= {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "key-of-env",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_CLOUDWATCH": world.url,
    }
    return world


ANSWER = """<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult>
<MetricDataResults>
<member><Id>rate</Id><Label>Rate</Label><StatusCode>Complete</StatusCode>
<Timestamps><member>2026-01-01T00:00:00Z</member><member>2026-01-01T00:01:00Z</member></Timestamps>
<Values><member>0.1</member><member>0.2</member></Values></member>
<member><Id>m</Id><Label>M</Label><StatusCode>PartialData</StatusCode><Timestamps/><Values><member>3.0</member></Values>
<Messages><member><Code>c</Code><Value>v</Value></member></Messages></member>
</MetricDataResults><Messages><member><Code>Slow</Code><Value>later</Value></member></Messages>
</GetMetricDataResult></GetMetricDataResponse>"""

QUERIES: list[dict[str, Any]] = [
    {"id": "rate", "expression": "errors / requests", "label": "Rate"},
    {
        "id": "errors",
        "metricStat": {
            "metric": {
                "namespace": "app",
                "metricName": "errors",
                "dimensions": [{"name": "service", "value": "web"}],
            },
            "period": "60",
            "stat": "Sum",
            "unit": "None",
        },
        "returnData": False,
    },
]


async def test_cloud_watch_gives_objects_as_conditions_know_them(cloud_watch: World) -> None:
    cloud_watch.vendor.says("/", ANSWER)
    condition = (
        "all(result[0].Values, # < 1) && result[1].StatusCode == 'PartialData' && result[1].Messages[0].Code == 'c' "
        "&& result[0].Timestamps[0].Year() == 2026 && len(result) == 2"
    )
    config = {"interval": "10m", "metricDataQueries": QUERIES}
    measured = await cloud_watch.measured("cloudWatch", config, successCondition=condition)
    assert (measured.phase, measured.message) == ("Successful", "")
    assert measured.value == "[[0.1 0.2] [3]]"
    assert measured.metadata == {"messages": "[Slow: later]"}
    (asked,) = cloud_watch.vendor.asked
    form = {key: value[0] for key, value in parse_qs(asked.body.decode()).items()}
    assert form == {
        "Action": "GetMetricData",
        "Version": "2010-08-01",
        "StartTime": "2026-09-21T14:03:20Z",
        "EndTime": "2026-09-21T14:13:20Z",
        "MetricDataQueries.member.1.Id": "rate",
        "MetricDataQueries.member.1.Expression": "errors / requests",
        "MetricDataQueries.member.1.Label": "Rate",
        "MetricDataQueries.member.2.Id": "errors",
        "MetricDataQueries.member.2.MetricStat.Metric.Namespace": "app",
        "MetricDataQueries.member.2.MetricStat.Metric.MetricName": "errors",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Name": "service",
        "MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Value": "web",
        "MetricDataQueries.member.2.MetricStat.Period": "60",
        "MetricDataQueries.member.2.MetricStat.Stat": "Sum",
        "MetricDataQueries.member.2.MetricStat.Unit": "None",
        "MetricDataQueries.member.2.ReturnData": "false",
    }
    assert "Credential=AKID/20260921/eu-west-1/monitoring/aws4_request" in asked.headers["authorization"]


REFUSED = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"


@pytest.mark.parametrize(
    ("config", "reply", "message"),
    [
        ({}, Reply(REFUSED, 403), "CloudWatch answered 403: AccessDenied: no"),
        ({}, Reply("oops", 500), "CloudWatch answered 500, and no XML: oops"),
        ({"interval": "x"}, "", "provider.cloudWatch.interval: 'x' is no duration"),
        ({}, ANSWER.replace("0.1", "x"), "a value of CloudWatch's answer is no number"),
    ],
)
async def test_cloud_watch_errors_are_told(
    cloud_watch: World, config: dict[str, Any], reply: Any, message: str
) -> None:
    cloud_watch.vendor.says("/", reply)
    measured = await cloud_watch.measured("cloudWatch", {"metricDataQueries": QUERIES, **config})
    assert measured.phase == "Error"
    assert measured.message.startswith(message)


async def test_cloud_watch_needs_a_region(world: World) -> None:
    assert (await world.measured("cloudWatch", {"metricDataQueries": []})).message == "no AWS region: set AWS_REGION"
