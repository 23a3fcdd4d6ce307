"""Makes measurements fail in every way, with marked secrets wherever a metric or a provider may have one.

Each provider is provoked with the sample of its page (provider_pages.py). `PLACES` has more configurations: every text holds a
secret argument, and the provider reads credentials itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.analysis.vendor import CONTROLLER, World

ARGUMENT = "ArgSecret-9f&\"é <b>'\\/+=?#%zz"
"""The secret argument: with a character of each kind that some encoding escapes."""

PLAIN = "PlainSecret-77aa"
"""A value that may appear in the host, in a header or in a number's place."""

OWN = {
    key: f"Own{key}-51c+/{key}=="
    for key in ("api", "app", "token", "aws", "session", "client", "password", "access", "address")
}
"""The credentials of the provider itself, of its Secret or its environment."""

ALL = {"argument": ARGUMENT, "plain": PLAIN, **OWN}

ARGS = [
    {"name": name, "valueFrom": {"secretKeyRef": {"name": "marked", "key": name}}} for name in ("argument", "plain")
]
Q = "{{args.argument}} {{args.plain}}"


@dataclass(frozen=True)
class Place:
    """`config`: with `URL` for the server's address. `ready`: puts the provider's own credentials in place."""

    config: dict[str, Any]
    secrets: Mapping[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


OAUTH = {
    "oauth2": {
        "tokenUrl": "URL/token?x={{args.plain}}",
        "clientId": "id",
        "clientSecret": OWN["client"],
        "scopes": [Q],
    }
}
AWS = {
    "AWS_ACCESS_KEY_ID": OWN["access"],
    "AWS_SECRET_ACCESS_KEY": OWN["aws"],
    "AWS_SESSION_TOKEN": OWN["session"],
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL_CLOUDWATCH": "URL",
}
SENT = [{"key": "X-Plain", "value": "{{args.plain}}"}, {"key": "Authorization", "value": f"Bearer {OWN['token']}"}]
SCOPE = {"scope": Q, "region": Q, "step": 60, "start": Q, "end": Q}

PLACES: dict[str, list[Place]] = {
    "web": [
        Place(
            {
                "url": "URL/{{args.argument}}/x?k={{args.argument}}&p={{args.plain}}",
                "method": "POST",
                "headers": SENT,
                "jsonBody": {"deep": [Q], Q: 1},
                "jsonPath": "{$.{{args.plain}}}",
            }
        ),
        Place({"url": "URL/{{args.plain}}", "headers": SENT, "authentication": OAUTH}),
        Place({"url": "URL/{{args.plain}}", "method": "PUT", "body": Q, "headers": SENT}),
    ],
    "prometheus": [
        Place(
            {
                "address": "URL/{{args.plain}}",
                "query": Q,
                "headers": SENT,
                "authentication": {"basicAuth": {"username": "user", "password": OWN["password"]}},
            }
        ),
        Place({"address": "URL", "query": Q, "authentication": OAUTH}),
        Place({"address": "URL", "query": Q, "rangeQuery": {"start": Q, "end": "now()", "step": Q}}),
        Place({"address": "URL", "query": Q, "rangeQuery": {"start": "now()", "end": Q, "step": "1m"}}),
        Place({"address": "URL", "query": Q, "rangeQuery": {"start": "now()", "end": "now()", "step": Q}}),
    ],
    "job": [
        Place(
            {
                "metadata": {"labels": {"a": "{{args.plain}}"}, "annotations": {"b": Q}},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i", "args": [Q]}]}}},
            }
        )
    ],
    "datadog": [
        Place(
            {"query": Q},
            {"datadog": {"api-key": OWN["api"], "app-key": OWN["app"], "address": "URL"}},
        ),
        Place(
            {"apiVersion": "v2", "queries": {"{{args.plain}}": Q}, "formula": Q},
            environment={"DD_API_KEY": OWN["api"], "DD_APP_KEY": OWN["app"], "DD_ADDRESS": "URL"},
        ),
        Place({"query": Q, "interval": Q}, {"datadog": {"api-key": OWN["api"], "app-key": OWN["app"]}}),
    ],
    "newRelic": [
        Place(
            {"query": Q, "profile": "own"},
            {"own": {"personal-api-key": OWN["api"], "account-id": "42", "base-url-nerdgraph": "URL/graphql"}},
        ),
        Place({"query": Q, "profile": "{{args.plain}}"}),
    ],
    "wavefront": [Place({"address": "URL", "query": Q}, {"wavefront-api-tokens": {"URL": OWN["token"]}})],
    "cloudWatch": [
        Place(
            {
                "metricDataQueries": [
                    {"id": "a", "expression": Q, "label": Q},
                    {
                        "id": "b",
                        "metricStat": {
                            "metric": {"namespace": Q, "metricName": Q, "dimensions": [{"name": "d", "value": Q}]},
                            "period": 60,
                            "stat": "Sum",
                        },
                    },
                ]
            },
            environment=AWS,
        ),
        Place({"interval": Q, "metricDataQueries": []}, environment=AWS),
    ],
    "graphite": [
        Place({"address": "URL/{{args.plain}}", "query": "target={{args.argument}}{{args.plain}}"}),
        Place({"address": "{{args.plain}}/{{args.argument}}", "query": "target=x"}),
    ],
    "influxdb": [
        Place(
            {"query": Q, "profile": "own"},
            {"own": {"address": "URL", "authToken": OWN["token"], "org": "org"}},
        ),
        Place({"query": Q, "profile": "{{args.plain}}"}),
    ],
    "skywalking": [
        Place({"address": "URL/{{args.plain}}", "query": Q, "interval": "5m"}),
        Place({"address": "URL", "query": Q, "interval": Q}),
    ],
    "kayenta": [
        Place(
            {
                "address": "URL/{{args.plain}}",
                "application": Q,
                "canaryConfigName": Q,
                "metricsAccountName": Q,
                "configurationAccountName": Q,
                "storageAccountName": Q,
                "threshold": {"pass": 90, "marginal": 75},
                "scopes": [{"name": Q, "controlScope": SCOPE, "experimentScope": SCOPE}],
            }
        )
    ],
    "plugin": [Place({"org/own": {"query": Q, "{{args.plain}}": 1}}), Place({"{{args.plain}}": {}})],
}


def placed(value: Any, url: str) -> Any:
    """With the server's address in the place of `URL`."""
    if isinstance(value, str):
        return value.replace("URL", url)
    if isinstance(value, Mapping):
        return {placed(key, url): placed(item, url) for key, item in value.items()}
    return [placed(item, url) for item in value] if isinstance(value, list) else value


def prepare(world: World, place: Place, url: str) -> dict[str, Any]:
    """Puts the credentials in place; returns the provider's configuration."""
    for name, data in place.secrets.items():
        encoded = {placed(k, url): base64.b64encode(placed(v, url).encode()).decode() for k, v in data.items()}
        world.cluster.objects["secrets", CONTROLLER, name] = {"data": encoded}
    world.environment |= {key: placed(value, url) for key, value in place.environment.items()}
    return placed(place.config, url)
