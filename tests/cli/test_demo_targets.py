"""The pods that the demo's Prometheus scrapes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from serinus.cli.demos.demo_targets import ServingPod, targets


def pod(phase: str = "Running", ip: str = "127.1.2.3", **metadata: Any) -> ServingPod:
    labels = {"rollouts-pod-template-hash": "abc"}
    whole = {"metadata": {"name": "web-1", "labels": labels, **metadata}, "status": {"phase": phase, "podIP": ip}}
    return msgspec.convert(whole, ServingPod)


def test_a_pod_that_runs_is_read_with_its_version_as_a_label():
    labels = {"pod": "web-1", "pod_template_hash": "abc"}
    assert targets([pod()]) == [{"targets": ["127.1.2.3:8080"], "labels": labels}]


@pytest.mark.parametrize(
    "gone", [pod("Pending"), pod(ip=""), pod("Succeeded"), pod(deletionTimestamp="2026-01-01T00:00:00Z")]
)
def test_a_pod_that_does_not_serve_is_not_read(gone: ServingPod):
    """Otherwise its series would continue as scrape errors."""
    assert targets([gone]) == []
