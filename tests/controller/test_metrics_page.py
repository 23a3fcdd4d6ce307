"""docs/metrics.md names every metric there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serinus.controller.cache import Cache
from serinus.controller.monitoring.metrics import Metrics
from serinus.engine.core import wait_reasons
from serinus.kube.client import Client
from tests.support.kube.loop_clock import LoopClock

pytestmark = pytest.mark.looptime(start=0)
PLAIN = "notification_send_"
"""Counters that Argo Rollouts names without `_total`."""
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


async def test_the_page_has_every_metric_and_no_other(store: Any) -> None:
    metrics = Metrics()
    metrics.watch(Cache(Client(store), LoopClock(), Random(1), lambda _: None), {})
    there = {
        family.name + ("_total" if family.type == "counter" and not family.name.startswith(PLAIN) else "")
        for family in text_string_to_metric_families(metrics.text().decode())
    }
    named = {name for row in re.findall(r"^\| (`[^|]+) \|", PAGE, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert named == there


def test_the_alerts_ask_for_metrics_and_reasons_that_there_are() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    rules = yaml.safe_load(text)["groups"][0]["rules"]
    for rule in rules:
        (*names,) = re.findall(r"\b(?:rollout|argo|notification)_\w+", rule["expr"])
        assert names
        assert all(f"`{name}`" in PAGE for name in names)
        for reason in re.findall(r'reason="(\w+)"', rule["expr"]):
            assert reason in {wait.code for wait in wait_reasons.ALL}
