"""`data/pod_templates.jsonl` is by Kubernetes 1.34's own code: a template, its JSON, its JSON with defaults."""

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from serinus.api.pods.defaults import copied, pod_with_defaults, with_defaults
from serinus.api.pods.go_json import text, written

_DATA = Path(__file__).parent / "data/pod_templates.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in _DATA.read_text().splitlines()]
GENERATOR = Path(__file__).parents[2] / "tools/pod_template_order"


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_a_template_is_written_byte_for_byte_as_go_writes_it(case: dict[str, Any]):
    """One byte off would be another hash, and so a restart of all pods."""
    assert written(case["template"]).decode() == case["written"]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_defaults_are_those_of_kubernetes(case: dict[str, Any]):
    before = copied(case["template"])
    assert written(with_defaults(case["template"])).decode() == case["defaulted"]
    assert case["template"] == before


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_defaults_applied_twice_change_nothing(case: dict[str, Any]):
    once = with_defaults(case["template"])
    assert with_defaults(once) == once


def test_unknown_fields_and_null_count_as_absent():
    assert (
        written({"spec": {"containers": None, "color": "red"}, "status": {}})
        == b'{"metadata":{},"spec":{"containers":null}}'
    )


def test_strings_are_escaped_like_go_does_for_html():
    assert text('<a href="x">&\u2028\u2029\n\x01é') == '"\\u003ca href=\\"x\\"\\u003e\\u0026\\u2028\\u2029\\n\\u0001é"'


def test_pods_get_requests_from_limits_and_host_ports():
    container = {"name": "a", "image": "a:1", "ports": [{"containerPort": 80}], "resources": {"limits": {"cpu": "2"}}}
    pod = pod_with_defaults({"metadata": {}, "spec": {"containers": [container], "hostNetwork": True}})
    stored = pod["spec"]["containers"][0]
    assert stored["resources"]["requests"] == {"cpu": "2"}
    assert stored["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    assert pod["spec"]["enableServiceLinks"] is True


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.25", "IfNotPresent"),
        ("reg.io:5000/a/b", "Always"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
        ("Upper/case", "Always"),
        ("a/Upper", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str):
    stored = with_defaults({"spec": {"containers": [{"name": "a", "image": image}]}})
    assert stored["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.long
def test_the_table_of_field_order_is_what_its_generator_prints():
    """Guards against edits by hand, and shows the changes of a newer Kubernetes."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: the table of field order was not generated anew")
    offline = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    made = subprocess.run(["go", "run", "."], cwd=GENERATOR, env=offline, capture_output=True, text=True, check=False)
    if made.returncode and ("GOPROXY=off" in made.stderr or "go.mod requires go" in made.stderr):
        pytest.skip("Kubernetes' Go modules are not on this machine: the table of field order was not generated anew")
    assert made.returncode == 0, made.stderr
    assert made.stdout == files("serinus.api.pods").joinpath("pod_template_order.json").read_text()
