"""AWS keys from the sources of AWS's own programs, in their order:

the environment; a web identity (a service account's role); the credentials file's profile; a container's endpoint
(ECS, EKS Pod Identity); the machine's metadata service. `role_arn`: a role to assume with these keys.
"""

from __future__ import annotations

import asyncio
import configparser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode
from xml.etree import ElementTree

from serinus.analysis.providers.aws.signature import AwsKeys, signed
from serinus.analysis.providers.current import hide
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.analysis.providers.http.decoding import json_of, xml_of

STS_VERSION = "2011-06-15"
METADATA = "http://169.254.169.254"
CONTAINER = "http://169.254.170.2"
SECONDS = 5.0
SESSION = "serinus"


class Asking(Protocol):
    """The subset of an HTTP client that this module uses."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
    ) -> HttpResponse: ...


class CredentialContext(Protocol):
    """`clock`: seconds since the epoch."""

    @property
    def http(self) -> Asking: ...
    @property
    def environment(self) -> Mapping[str, str]: ...
    @property
    def clock(self) -> Callable[[], float]: ...


async def credentials(reach: CredentialContext, *, profile: str = "", role_arn: str = "", region: str = "") -> AwsKeys:
    """Keys for requests. If there are none: ProviderError with the searched sources."""
    keys = _from_file(reach.environment, profile) if profile else None
    keys = keys or await _default(reach, region)
    if keys is None:
        raise ProviderError(
            "no AWS credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, a profile, "
            "a container's endpoint nor the machine's metadata service has any"
        )
    _hide(keys)
    return _hide(await _assumed(reach, keys, role_arn, region)) if role_arn else keys


def _hide(keys: AwsKeys) -> AwsKeys:
    hide(keys.access, keys.secret, keys.token)
    return keys


async def _default(reach: CredentialContext, region: str) -> AwsKeys | None:
    env = reach.environment
    if env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return AwsKeys(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", ""))
    if env.get("AWS_WEB_IDENTITY_TOKEN_FILE") and env.get("AWS_ROLE_ARN"):
        return await _web_identity(reach, region)
    keys = _from_file(env, env.get("AWS_PROFILE", "default"))
    if keys is not None:
        return keys
    full = env.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    relative = env.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    if full or relative:
        return await _container(reach, full or f"{CONTAINER}{relative}")
    if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    return await _machine(reach)


def _from_file(env: Mapping[str, str], profile: str) -> AwsKeys | None:
    path = env.get("AWS_SHARED_CREDENTIALS_FILE") or str(Path(env.get("HOME") or "/") / ".aws" / "credentials")
    parser = configparser.RawConfigParser()
    try:
        parser.read(path)
        section = dict(parser[profile]) if parser.has_section(profile) else {}
    except (OSError, configparser.Error, UnicodeDecodeError) as error:
        raise ProviderError(f"the AWS credentials file {path} cannot be read") from error
    if not section.get("aws_access_key_id") or not section.get("aws_secret_access_key"):
        return None
    return AwsKeys(section["aws_access_key_id"], section["aws_secret_access_key"], section.get("aws_session_token", ""))


async def _web_identity(reach: CredentialContext, region: str) -> AwsKeys:
    env = reach.environment
    token = await _file(env["AWS_WEB_IDENTITY_TOKEN_FILE"])
    hide(token)
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "RoleArn": env["AWS_ROLE_ARN"],
        "RoleSessionName": env.get("AWS_ROLE_SESSION_NAME") or SESSION,
        "WebIdentityToken": token,
    }
    return await _sts(reach, form, region, None)


async def _assumed(reach: CredentialContext, keys: AwsKeys, role_arn: str, region: str) -> AwsKeys:
    form = {"Action": "AssumeRole", "RoleArn": role_arn, "RoleSessionName": SESSION}
    return await _sts(reach, form, region, keys)


async def _sts(reach: CredentialContext, form: dict[str, str], region: str, keys: AwsKeys | None) -> AwsKeys:
    region = region or region_of(reach.environment)
    url = reach.environment.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com/"
    body = urlencode({**form, "Version": STS_VERSION}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if keys is not None:
        headers = signed("POST", url, headers, body, keys, region=region, service="sts", now=reach.clock())
    answer = await reach.http.request("POST", url, headers=headers, body=body, seconds=SECONDS)
    if not answer.ok:
        raise ProviderError("AWS refused the role ", f"{form['RoleArn']}: {answer.status} {answer.text}")
    try:
        fields = {e.tag.rpartition("}")[2]: e.text or "" for e in xml_of(answer.body).iter()}
        return AwsKeys(fields["AccessKeyId"], fields["SecretAccessKey"], fields["SessionToken"])
    except (ElementTree.ParseError, KeyError) as error:
        raise ProviderError("the answer of AWS STS cannot be read: ", error) from error


async def _container(reach: CredentialContext, url: str) -> AwsKeys:
    env = reach.environment
    token = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = await _file(env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    hide(token)
    answer = await reach.http.request("GET", url, headers={"Authorization": token} if token else {}, seconds=SECONDS)
    return _keys(answer.body, "the container's endpoint")


async def _machine(reach: CredentialContext) -> AwsKeys | None:
    root = reach.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", METADATA).rstrip("/")
    path = f"{root}/latest/meta-data/iam/security-credentials/"
    try:
        lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        token = await reach.http.request("PUT", f"{root}/latest/api/token", headers=lifetime, seconds=1.0)
        hide(token.text)
        headers = {"X-aws-ec2-metadata-token": token.text} if token.ok else {}
        role = await reach.http.request("GET", path, headers=headers, seconds=SECONDS)
    except ProviderError:
        return None
    if not role.ok or not role.text.strip():
        return None
    answer = await reach.http.request("GET", path + role.text.split()[0], headers=headers, seconds=SECONDS)
    return _keys(answer.body, "the machine's metadata service")


def _keys(body: bytes, where: str) -> AwsKeys:
    try:
        fields: Any = json_of(body)
        return AwsKeys(str(fields["AccessKeyId"]), str(fields["SecretAccessKey"]), str(fields.get("Token") or ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProviderError(f"{where} gave no AWS credentials") from error


def region_of(env: Mapping[str, str]) -> str:
    """The region of the environment. ProviderError if it has none."""
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if not region:
        raise ProviderError("no AWS region: set AWS_REGION")
    return region


async def _file(path: str) -> str:
    try:
        return (await asyncio.to_thread(Path(path).read_text)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError(f"{path} cannot be read: ", error) from error
