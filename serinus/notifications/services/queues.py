"""Queues of Amazon and Google: SQS and Pub/Sub, through their HTTP APIs."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from serinus.analysis.providers.aws.credentials import credentials
from serinus.analysis.providers.aws.signature import AwsKeys, signed
from serinus.analysis.providers.errors import ProviderError
from serinus.analysis.providers.http.client import HttpResponse
from serinus.notifications.services.json_web_token import signed_token
from serinus.notifications.services.service import Delayed, NotificationService, Refused, SendRequest, ask, host_of

SQS = "application/x-amz-json-1.0"
DELAY_SECONDS = 10
SCOPE = "https://www.googleapis.com/auth/pubsub"


class AwsSqsOptions(msgspec.Struct, rename="camel"):
    queue: str = ""
    account: str = ""
    region: str = ""
    endpoint_url: str = ""
    key: str = ""
    secret: str = ""


class AwsSqsSection(msgspec.Struct, rename="camel"):
    message_attributes: dict[str, str] = {}
    message_group_id: str = ""


class AwsSqs(NotificationService[AwsSqsOptions, AwsSqsSection]):
    type = "awssqs"
    section = "awssqs"
    merges = True
    Options = AwsSqsOptions
    Section = AwsSqsSection

    def host(self, options: AwsSqsOptions, recipient: str) -> str:
        return host_of(options.endpoint_url) or f"sqs.{options.region}.amazonaws.com"

    async def send(self, options: AwsSqsOptions, job: SendRequest) -> Mapping[str, str] | None:
        question = {"QueueName": job.recipient or options.queue}
        if options.account:
            question["QueueOwnerAWSAccountId"] = options.account
        queue = _object(await self._call(options, job, "GetQueueUrl", question))
        if not isinstance(queue.get("QueueUrl"), str):
            raise Delayed("SQS answered without a QueueUrl")
        message: dict[str, Any] = {
            "QueueUrl": queue.get("QueueUrl"),
            "MessageBody": job.message,
            "DelaySeconds": DELAY_SECONDS,
        }
        if job.section is not None and job.section.message_group_id:
            message["MessageGroupId"] = job.section.message_group_id
            del message["DelaySeconds"]  # a FIFO queue refuses a delay for one message
        if job.section is not None and job.section.message_attributes:
            message["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value}
                for name, value in job.section.message_attributes.items()
                if value
            }
        await self._call(options, job, "SendMessage", message)
        return None

    async def _call(
        self, options: AwsSqsOptions, job: SendRequest, action: str, body: Mapping[str, Any]
    ) -> HttpResponse:
        region = (
            options.region
            or job.reach.environment.get("AWS_DEFAULT_REGION")
            or job.reach.environment.get("AWS_REGION", "")
        )
        if not region:
            raise Refused("region is missing")
        url = f"{options.endpoint_url.rstrip('/') or f'https://sqs.{region}.amazonaws.com'}/"
        data = msgspec.json.encode(body)
        headers = {"Content-Type": SQS, "X-Amz-Target": f"AmazonSQS.{action}"}
        keys = await _aws_keys(options, job, region)
        sent = signed("POST", url, headers, data, keys, region=region, service="sqs", now=job.reach.clock())
        return await ask(job, "POST", url, headers=sent, body=data)


def _object(answer: HttpResponse) -> dict[str, Any]:
    try:
        reply = answer.json()
    except ProviderError:
        raise Delayed("SQS answered without JSON") from None
    return reply if isinstance(reply, dict) else {}


async def _aws_keys(options: AwsSqsOptions, job: SendRequest, region: str) -> AwsKeys:
    """The keys of the options, otherwise those of the controller's own identity."""
    if options.key and options.secret:
        return AwsKeys(options.key, options.secret)
    if not job.reach.ambient:
        raise Refused("key and secret are missing: the identity of the controller is for its own configuration")
    try:
        return await credentials(job.reach, region=region)
    except ProviderError as error:
        raise Delayed(str(error)) from None


class GcpPubsubOptions(msgspec.Struct, rename="camel"):
    topic: str = ""
    project: str = ""
    key_file: str = ""
    key: str = ""
    endpoint: str = "https://pubsub.googleapis.com"


class GcpPubsubSection(msgspec.Struct):
    attributes: dict[str, str] = {}


class GcpPubsub(NotificationService[GcpPubsubOptions, GcpPubsubSection]):
    """`key` (the text of a service account's key file, for the Secret) and `endpoint` are our own options."""

    type = "gcppubsub"
    section = "gcppubsub"
    Options = GcpPubsubOptions
    Section = GcpPubsubSection

    def check(self, options: GcpPubsubOptions) -> str:
        return "" if options.project else "project is missing"

    def host(self, options: GcpPubsubOptions, recipient: str) -> str:
        return host_of(options.endpoint)

    async def send(self, options: GcpPubsubOptions, job: SendRequest) -> Mapping[str, str] | None:
        token = await _google_token(options, job)
        topic = job.recipient or options.topic
        url = f"{options.endpoint.rstrip('/')}/v1/projects/{options.project}/topics/{topic}:publish"
        message: dict[str, Any] = {"data": b64encode(job.message.encode()).decode()}
        if job.section is not None and job.section.attributes:
            message["attributes"] = job.section.attributes
        await ask(job, "POST", url, headers={"Authorization": f"Bearer {token}"}, json={"messages": [message]})
        return None


async def _google_token(options: GcpPubsubOptions, job: SendRequest) -> str:
    text = options.key
    file = options.key_file or job.reach.environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if not text and file:
        if not job.reach.ambient:
            raise Refused("keyFile names a file of the controller: put the key into the Secret, as option key")
        try:
            text = await asyncio.to_thread(Path(file).read_text)
        except OSError as error:
            raise Refused(f"keyFile cannot be read: {error.strerror}") from None
    if not text:
        raise Refused("key or keyFile is missing")
    try:
        key: dict[str, str] = json.loads(text)
        address, mail, private = (
            key.get("token_uri") or "https://oauth2.googleapis.com/token",
            key["client_email"],
            str(key["private_key"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("the key is none of a service account: it is JSON with client_email and private_key") from None
    now = int(job.reach.clock())
    claims = {"iss": mail, "scope": SCOPE, "aud": address, "iat": now, "exp": now + 3600}
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed_token(claims, private)}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await ask(job, "POST", address, headers=headers, body=urlencode(form).encode())
    try:
        return str(answer.json()["access_token"])
    except (ProviderError, KeyError, TypeError):
        raise Delayed("the token server's answer has no access_token") from None
