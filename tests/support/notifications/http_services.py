# ruff: noqa: E501 - the table has a request in each row
"""Types of services over HTTP: options, the answers of the vendor, and the expected requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.notifications.fake_vendor import Answer

NOW = 1_700_000_000.5
KEY = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)


@dataclass
class Case:
    """`expected`: (method, path, body) of each request; a body is JSON, a form (with `form`), or text. `headers`: of the last."""

    kind: str
    options: Callable[[str], dict[str, Any]]
    answers: list[Answer]
    expected: list[tuple[str, str, Any]]
    section: dict[str, Any] | None = None
    recipient: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    form: bool = False
    name: str = ""


FACTS = '[{"name":"a","value":"b"}]'
CASES = [
    Case("webhook", lambda u: {"url": f"{u}/hook/", "headers": [{"name": "X-K", "value": "v"}], "basicAuth": {"username": "u", "password": "p"}},
         [(200, "")], [("POST", "/hook/p", "x")], {"method": "POST", "path": "/p", "body": "x"},
         headers={"X-K": "v", "Authorization": "Basic dTpw"}),
    Case("webhook", lambda u: {"url": f"{u}/hook"}, [(204, "")], [("GET", "/hook", "m")], name="no section"),
    Case("slack", lambda u: {"apiURL": f"{u}/api/", "token": "t", "username": "bot", "icon": ":x:", "disableUnfurl": "true"},
         [(200, {"ok": True, "channel": "C1", "ts": "1.0"})],
         [("POST", "/api/chat.postMessage", {"channel": "ch", "text": "m", "token": "t", "username": "bot", "icon_emoji": ":x:", "unfurl_links": "false", "unfurl_media": "false"})],
         recipient="ch", form=True),
    Case("slack", lambda u: {"apiURL": f"{u}/api/", "token": "t"}, [(200, {"ok": True})],
         [("POST", "/api/chat.postMessage", {"channel": "ch", "text": "m", "token": "t", "attachments": '[{"title":"a"}]', "blocks": "[]", "reply_broadcast": "true"})],
         {"attachments": '[{"title": "a"}]', "notifyBroadcast": True}, recipient="ch", form=True, name="section"),
    Case("teams", lambda u: {"recipientUrls": {"c": f"{u}/t"}}, [(200, "1")],
         [("POST", "/t", {"@type": "MessageCard", "context": "https://schema.org/extensions", "title": "t", "summary": "", "text": "m", "themeColor": "#fff",
                          "sections": [{"s": 1}, {"facts": [{"name": "a", "value": "b"}]}], "potentialAction": [{}]})],
         {"title": "t", "themeColor": "#fff", "facts": FACTS, "sections": '[{"s":1}]', "potentialAction": "[{}]"}, recipient="c"),
    Case("teams", lambda u: {"recipientUrls": {"c": f"{u}/t"}}, [(200, "1")], [("POST", "/t", {"a": 1})], {"template": '{"a":1}'}, recipient="c", name="template"),
    Case("teams-workflows", lambda u: {"recipientUrls": {"c": f"{u}/powerautomate/x"}}, [(202, "")],
         [("POST", "/powerautomate/x", {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": {
             "type": "AdaptiveCard", "version": "1.4", "body": [
                 {"type": "TextBlock", "text": "t", "size": "Large", "weight": "Bolder", "wrap": True, "color": "Good"},
                 {"type": "TextBlock", "text": "m", "wrap": True},
                 {"type": "FactSet", "facts": [{"title": "a", "value": "b"}]}],
             "actions": [{"type": "Action.OpenUrl", "title": "Go", "url": "http://x"}]}}]})],
         {"title": "t", "themeColor": "Good", "facts": FACTS, "potentialAction": '[{"@type":"OpenUri","name":"Go","targets":[{"os":"default","uri":"http://x"}]}]'}, recipient="c"),
    Case("googlechat", lambda u: {"webhooks": {"c": f"{u}/g?key=k"}}, [(200, {})], [("POST", "/g?key=k", {"text": "m"})], recipient="c"),
    Case("googlechat", lambda u: {"webhooks": {"c": f"{u}/g"}}, [(200, {})],
         [("POST", "/g?threadKey=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", {"text": "", "cards": [{"a": 1}]})],
         {"cards": "- a: 1\n", "threadKey": "k"}, recipient="c", name="cards"),
    Case("telegram", lambda u: {"token": "t:1", "apiURL": u}, [(200, {"ok": True})],
         [("POST", "/bott:1/getMe", {}), ("POST", "/bott:1/sendMessage", {"chat_id": "-100", "text": "m", "parse_mode": "Markdown", "message_thread_id": "7"})],
         recipient="-100|7", form=True),
    Case("telegram", lambda u: {"token": "t", "apiURL": u}, [(200, {"ok": True})],
         [("POST", "/bott/getMe", {}), ("POST", "/bott/sendMessage", {"chat_id": "@news", "text": "m", "parse_mode": "Markdown"})],
         recipient="news", form=True, name="channel"),
    Case("mattermost", lambda u: {"apiURL": u, "token": "t"}, [(201, {})],
         [("POST", "/api/v4/posts", {"channel_id": "c", "message": "m", "props": {"attachments": [{"a": 1}]}})],
         {"attachments": '[{"a":1}]'}, recipient="c", headers={"Authorization": "Bearer t"}),
    Case("rocketchat", lambda u: {"serverUrl": u, "email": "e", "password": "p", "alias": "A"},
         [(200, {"status": "success", "data": {"authToken": "a", "userId": "u"}}), (200, {"success": True})],
         [("POST", "/api/v1/login", "user=e&password=p"), ("POST", "/api/v1/chat.postMessage", {"channel": "#c", "text": "m", "alias": "A"})],
         recipient="#c", headers={"X-Auth-Token": "a", "X-User-Id": "u"}),
    Case("opsgenie", lambda u: {"apiUrl": u, "apiKeys": {"team": "k"}}, [(202, {"result": "ok"})],
         [("POST", "/v2/alerts", {"message": "m", "description": "d", "priority": "P1", "tags": ["a"], "details": {"x": "y"},
                                  "responders": [{"type": "team", "id": "team"}], "source": "Argo CD"})],
         {"description": "d", "priority": "P1", "tags": ["a"], "details": {"x": "y"}}, recipient="team", headers={"Authorization": "GenieKey k"}),
    Case("pagerduty", lambda u: {"token": "t", "from": "a@b", "apiURL": u}, [(201, {})],
         [("POST", "/incidents", {"incident": {"type": "incident", "title": "t", "service": {"id": "S", "type": "service_reference"}, "urgency": "high",
                                               "priority": {"id": "P", "type": "priority"}, "body": {"type": "incident_details", "details": "b"}}})],
         {"title": "t", "body": "b", "urgency": "high", "priorityId": "P"}, recipient="S", headers={"Authorization": "Token token=t", "From": "a@b"}),
    Case("pagerdutyv2", lambda u: {"serviceKeys": {"s": "k"}, "apiURL": u}, [(202, {})],
         [("POST", "/v2/enqueue", {"routing_key": "k", "event_action": "trigger", "client": "ArgoCD", "client_url": "http://x", "dedup_key": "d",
                                   "payload": {"summary": "s", "severity": "error", "source": "web", "class": "c"}})],
         {"summary": "s", "severity": "error", "source": "web", "class": "c", "url": "http://x", "dedupKey": "d"}, recipient="s"),
    Case("grafana", lambda u: {"apiUrl": f"{u}/api", "apiKey": "k"}, [(200, {})],
         [("POST", "/api/annotations", {"time": 1_700_000_000_000, "isRegion": False, "tags": ["a", "b"], "text": "m"})],
         recipient="a|b", headers={"Authorization": "Bearer k"}),
    Case("github", lambda u: {"appID": "1", "installationID": "2", "privateKey": KEY, "enterpriseBaseURL": u},
         [(201, {"token": "ghs"}), (201, {}), (200, []), (201, {"id": 5}), (201, {}), (200, [{"number": 9}]), (200, [{"id": 3, "body": "x <!-- argocd-notifications t -->"}]), (200, {}), (201, {}), (204, "")],
         [("POST", "/app/installations/2/access_tokens", ""),
          ("POST", "/api/v3/repos/o/r/statuses/abc", {"state": "success", "description": "m", "context": "ci", "target_url": "http://x"}),
          ("GET", "/api/v3/repos/o/r/deployments?ref=abc&environment=prod", ""),
          ("POST", "/api/v3/repos/o/r/deployments", {"ref": "abc", "environment": "prod", "required_contexts": [], "auto_merge": True, "transient_environment": False}),
          ("POST", "/api/v3/repos/o/r/deployments/5/statuses", {"state": "success", "log_url": "", "description": "m", "environment": "prod", "environment_url": ""}),
          ("GET", "/api/v3/repos/o/r/commits/abc/pulls", ""),
          ("GET", "/api/v3/repos/o/r/issues/9/comments?per_page=100", ""),
          ("PATCH", "/api/v3/repos/o/r/issues/comments/3", {"body": "hi\n<!-- argocd-notifications t -->"}),
          ("POST", "/api/v3/repos/o/r/check-runs", {"name": "n", "head_sha": "abc", "external_id": "argocd-notifications", "details_url": "", "status": "completed", "conclusion": "success"}),
          ("POST", "/api/v3/repos/o/r/dispatches", {"event_type": "e", "client_payload": {"a": 1}})],
         {"repoURLPath": "https://github.com/o/r.git", "revisionPath": "abc", "status": {"state": "success", "label": "ci", "targetURL": "http://x"},
          "deployment": {"state": "success", "environment": "prod"}, "pullRequestComment": {"content": "hi", "commentTag": "t"},
          "checkRun": {"name": "n", "conclusion": "success"}, "repositoryDispatch": {"event_type": "e", "client_payload": '{"a":1}'}},
         headers={"Authorization": "Bearer ghs"}),
    Case("alertmanager", lambda u: {"targets": [u.removeprefix("http://")], "bearerToken": "t"}, [(200, {})],
         [("POST", "/api/v2/alerts", [{"labels": {"alertname": "tpl", "a": "b"}, "annotations": {}, "generatorURL": "https://h/o/r", "startsAt": "2023-11-14T22:13:20Z"}])],
         {"labels": {"a": "b"}, "generatorURL": "git@h:o/r"}, headers={"Authorization": "Bearer t"}),
    Case("pushover", lambda u: {"token": "a" * 30, "apiURL": u}, [(200, {"status": 1})],
         [("POST", "/1/messages.json", {"token": "a" * 30, "user": "u", "message": "m", "priority": "0"})], recipient="u", form=True),
    Case("webex", lambda u: {"token": "t", "apiURL": f"{u}/"}, [(200, {})], [("POST", "/v1/messages", {"toPersonEmail": "a@b.c", "markdown": "m"})],
         recipient="a@b.c", headers={"Authorization": "Bearer t"}),
    Case("newrelic", lambda u: {"apiKey": "k", "apiURL": u}, [(201, {})],
         [("POST", "/v2/applications/7/deployments.json", {"deployment": {"revision": "r", "description": "m", "user": "u"}})],
         {"revision": "r", "user": "u"}, recipient="7", headers={"X-Api-Key": "k"}),
    Case("awssqs", lambda u: {"queue": "q", "region": "eu-west-1", "endpointUrl": u, "key": "AK", "secret": "SK", "account": "12"},
         [(200, {"QueueUrl": "http://q"}), (200, {"MessageId": "1"})],
         [("POST", "/", {"QueueName": "q", "QueueOwnerAWSAccountId": "12"}),
          ("POST", "/", {"QueueUrl": "http://q", "MessageBody": "m", "DelaySeconds": 10, "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}})],
         {"messageAttributes": {"a": "b"}}, headers={"X-Amz-Target": "AmazonSQS.SendMessage"}),
    Case("gcppubsub", lambda u: {"project": "p", "topic": "t", "endpoint": u, "key": json.dumps({"client_email": "a@b", "private_key": KEY, "token_uri": f"{u}/token"})},
         [(200, {"access_token": "g"}), (200, {"messageIds": ["1"]})],
         [("POST", "/token", None), ("POST", "/v1/projects/p/topics/t:publish", {"messages": [{"data": "bQ==", "attributes": {"a": "b"}}]})],
         {"attributes": {"a": "b"}}, headers={"Authorization": "Bearer g"}),
]  # fmt: skip
HTTP_KINDS = {case.kind: case for case in CASES}
