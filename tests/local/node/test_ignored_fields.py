"""Fields that request a missing isolation are named on creation."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.local.node.ignored_fields import warning


def pod(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {**(spec or {}), "containers": [{"name": "c", **container}]}}


@pytest.mark.parametrize(
    ("context", "named"),
    [
        ({"runAsUser": 0}, ["runAsUser"]),
        ({"runAsUser": 1000, "runAsNonRoot": True}, ["runAsUser", "runAsNonRoot"]),
        ({"privileged": True}, ["privileged"]),
        ({"privileged": False, "readOnlyRootFilesystem": False, "runAsNonRoot": False}, []),
        ({"capabilities": {"drop": ["ALL"]}}, ["capabilities"]),
        ({"allowPrivilegeEscalation": False}, ["allowPrivilegeEscalation"]),
        ({"allowPrivilegeEscalation": True}, []),
        ({"capabilities": {}, "supplementalGroups": [], "unknown\nfield": 1}, []),
    ],
)
def test_each_field_is_named_with_its_path(context: dict[str, Any], named: list[str]):
    for made, path in (
        (pod(securityContext=context), "spec.containers[c].securityContext"),
        (pod({"securityContext": context}), "spec.securityContext"),
    ):
        fields = ", ".join(f"{path}.{name}" for name in named)
        assert warning(made) == (
            f"{fields}: no effect here: local processes have all rights of the user that runs Serinus, "
            "and --runtime docker or podman does not pass them on"
            if named
            else ""
        )
    template = {"kind": "Rollout", "spec": {"template": pod(securityContext=context)}}
    assert all(f"spec.template.spec.containers[c].securityContext.{name}" in warning(template) for name in named)


@pytest.mark.parametrize("field", ["hostNetwork", "hostPID", "hostIPC"])
def test_what_shares_the_machines_own_is_named(field: str):
    assert warning(pod({field: True})).startswith(f"spec.{field}: no effect")
    assert warning(pod({field: False})) == ""


@pytest.mark.parametrize("odd", [None, [], "x", {"spec": None}, {"spec": {"template": []}}, {"kind": "Pod", "spec": 1}])
def test_what_is_no_pod_has_no_warning(odd: Any):
    assert warning(odd if isinstance(odd, dict) else {"spec": odd}) == ""
