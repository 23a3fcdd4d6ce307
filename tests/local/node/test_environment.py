from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from serinus.local.node import volumes
from serinus.local.node.environment import Host, MissingConfig, environment, expand, sources

HOST = Host("serinus", "127.0.0.1")
POD: dict[str, Any] = {
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "u",
        "labels": {"app": "web"},
        "annotations": {"a/b": "c"},
    },
    "spec": {"nodeName": "serinus", "containers": []},
}
BASE = {"POD_IP": "127.77.0.9"}
GIVEN: Any = {
    ("ConfigMap", "conf"): {"data": {"MODE": "fast", "not a name": "x"}},
    ("Secret", "key"): {"data": {"TOKEN": base64.b64encode(b"s3cret").decode()}},
}


def env_of(
    *entries: dict[str, Any], env_from: list[dict[str, Any]] | None = None, given: Any = GIVEN
) -> dict[str, str]:
    return environment(POD, {"name": "c", "env": list(entries), "envFrom": env_from or []}, BASE, HOST, given)


def ref(name: str, **origin: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": origin}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)-$(B)", "1-$(B)"), ("$$(A)", "$(A)"), ("$A", "$A"), ("$(A", "$(A"), ("$$$(A)", "$1"), ("a$", "a$")],
)
def test_variables_in_a_command_are_replaced_as_kubernetes_does(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


def test_a_variable_may_use_those_before_it() -> None:
    assert (
        env_of({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2$(C)"}, {"name": "C", "value": "3"})["B"]
        == "12$(C)"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "web"),
        ("metadata.annotations['a/b']", "c"),
        ("spec.nodeName", "serinus"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "127.77.0.9"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_a_pod_can_read_its_own_fields(path: str, value: str) -> None:
    assert env_of(ref("X", fieldRef={"fieldPath": path}))["X"] == value


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(MissingConfig, match=r"'spec.hostname' is not known"):
        env_of(ref("X", fieldRef={"fieldPath": "spec.hostname"}))


def test_resources_come_in_the_unit_that_is_asked_for() -> None:
    container = {
        "name": "c",
        "resources": {"limits": {"cpu": "1500m", "memory": "64Mi"}},
        "env": [
            ref("CPU", resourceFieldRef={"resource": "limits.cpu"}),
            ref("MILLI", resourceFieldRef={"resource": "limits.cpu", "divisor": "1m"}),
            ref("MEMORY", resourceFieldRef={"resource": "limits.memory", "divisor": "1Mi"}),
        ],
    }
    env = environment(POD, container, {}, HOST, {})
    assert env == {"CPU": "2", "MILLI": "1500", "MEMORY": "64"}


def test_values_come_from_config_maps_and_secrets() -> None:
    env = env_of(
        ref("M", configMapKeyRef={"name": "conf", "key": "MODE"}),
        ref("T", secretKeyRef={"name": "key", "key": "TOKEN"}),
        env_from=[{"prefix": "P_", "configMapRef": {"name": "conf"}}],
    )
    assert (env["M"], env["T"], env["P_MODE"]) == ("fast", "s3cret", "fast")
    assert "P_not a name" not in env


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (ref("X", configMapKeyRef={"name": "nope", "key": "K"}), 'configmap "nope" not found'),
        (ref("X", configMapKeyRef={"name": "conf", "key": "K"}), 'key "K" in configmap "conf" not found'),
        (ref("X", secretKeyRef={"name": "nope", "key": "K"}), 'secret "nope" not found'),
    ],
)
def test_what_is_missing_is_named_unless_it_is_optional(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(MissingConfig, match=says):
        env_of(entry)
    (origin,) = entry["valueFrom"].values()
    origin["optional"] = True
    assert "X" not in env_of(entry)


def test_all_sources_of_a_container_are_known_before_it_starts() -> None:
    container = {
        "env": [ref("A", configMapKeyRef={"name": "a", "key": "k"})],
        "envFrom": [{"secretRef": {"name": "b"}}],
    }
    assert sources(POD, container) == {("ConfigMap", "a"), ("Secret", "b")}


def test_volumes_become_directories_and_mounts_that_cannot_be_made_are_told(tmp_path: Path) -> None:
    spec = {
        "containers": [{"name": "c", "volumeMounts": [{"name": "conf", "mountPath": "/etc/conf"}]}],
        "volumes": [
            {"name": "conf", "configMap": {"name": "conf"}},
            {"name": "key", "secret": {"secretName": "key", "items": [{"key": "TOKEN", "path": "a/token"}]}},
            {"name": "work", "emptyDir": {}},
            {"name": "host", "hostPath": {"path": str(tmp_path)}},
        ],
    }
    remarks = volumes.make({**POD, "spec": spec}, tmp_path / "v", HOST, "", GIVEN)
    assert (tmp_path / "v/conf/MODE").read_text() == "fast"
    assert (tmp_path / "v/key/a/token").read_bytes() == b"s3cret"
    assert (tmp_path / "v/key/a/token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "v/work").is_dir()
    assert (tmp_path / "v/host").resolve() == tmp_path
    assert len(remarks) == 1
    assert "/etc/conf" in remarks[0]
    assert "$SERINUS_VOLUMES/conf" in remarks[0]


def test_a_volume_cannot_write_outside_of_itself(tmp_path: Path) -> None:
    item = {"key": "MODE", "path": "../../escaped"}
    spec = {"volumes": [{"name": "conf", "configMap": {"name": "conf", "items": [item]}}]}
    with pytest.raises(MissingConfig, match="leaves its volume"):
        volumes.make({**POD, "spec": spec}, tmp_path / "v", HOST, "", GIVEN)
