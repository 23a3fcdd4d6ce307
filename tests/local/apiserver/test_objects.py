"""Writing objects: identity, versions, generation, status, dry run, field validation."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    ROLLOUTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from serinus.kube.client import Client
from serinus.kube.errors import AlreadyExists, Conflict, Invalid, NotFound

Json = dict[str, Any]
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYED = "/apis/apps/v1/namespaces/default/deployments"


def config_map(name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str = "web", **spec: Any) -> Json:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }  # fmt: skip


async def test_a_created_object_has_what_only_the_server_sets(client: Client) -> None:
    made = await client.create(DEPLOYMENTS, deployment(), "default")
    meta = made["metadata"]
    assert len(meta["uid"]) == 36
    assert meta["creationTimestamp"].endswith("Z")
    assert (meta["generation"], meta["namespace"]) == (1, "default")
    assert int(meta["resourceVersion"]) > 0
    assert made["spec"]["replicas"] == 1
    assert meta["managedFields"][0]["manager"] == "tests"
    assert await client.get(DEPLOYMENTS, "web", "default") == made


async def test_generate_name_gives_different_names(client: Client) -> None:
    obj: Json = {"metadata": {"generateName": "job-"}}
    names = {(await client.create(CONFIG_MAPS, obj, "default"))["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("job-") and len(name) == 9 for name in names)


async def test_creating_twice_says_that_it_exists(client: Client) -> None:
    await client.create(CONFIG_MAPS, config_map(), "default")
    with pytest.raises(AlreadyExists, match='configmaps "settings" already exists'):
        await client.create(CONFIG_MAPS, config_map(), "default")


async def test_an_update_of_an_old_version_is_refused(client: Client) -> None:
    made = await client.create(CONFIG_MAPS, config_map(), "default")
    await client.patch(CONFIG_MAPS, "settings", {"data": {"a": "1"}}, "default")
    with pytest.raises(Conflict) as error:
        await client.update(CONFIG_MAPS, {**made, "data": {"a": "2"}})
    assert error.value.message == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert error.value.status["details"] == {"name": "settings", "kind": "configmaps"}


async def test_versions_come_from_one_counter(client: Client) -> None:
    a = await client.create(CONFIG_MAPS, config_map("a"), "default")
    b = await client.create(SECRETS, {"metadata": {"name": "b"}}, "default")
    c = await client.patch(CONFIG_MAPS, "a", {"data": {"x": "y"}}, "default")
    versions = [int(o["metadata"]["resourceVersion"]) for o in (a, b, c)]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]


async def test_a_write_that_changes_nothing_writes_nothing(client: Client) -> None:
    made = await client.create(DEPLOYMENTS, deployment(), "default")
    assert await client.update(DEPLOYMENTS, made) == made
    again = await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 1}}, "default")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_generation_counts_changes_of_the_spec_only(client: Client) -> None:
    await client.create(DEPLOYMENTS, deployment(), "default")
    labelled = await client.patch(DEPLOYMENTS, "web", {"metadata": {"labels": {"a": "b"}}}, "default")
    assert labelled["metadata"]["generation"] == 1
    scaled = await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 2}}, "default")
    assert scaled["metadata"]["generation"] == 2
    seen = await client.patch(DEPLOYMENTS, "web", {"status": {"replicas": 2}}, "default", subresource="status")
    assert seen["metadata"]["generation"] == 2


@pytest.mark.parametrize("resource", [DEPLOYMENTS, ROLLOUTS])
async def test_spec_and_status_are_written_apart(client: Client, resource: Any) -> None:
    obj = deployment(replicas=1) | {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "status": {"replicas": 9},
    }
    made = await client.create(resource, obj, "default")
    assert "replicas" not in made.get("status", {})
    status = await client.patch(
        resource, "web", {"spec": {"replicas": 7}, "status": {"replicas": 3}}, "default", subresource="status"
    )
    assert (status["spec"]["replicas"], status["status"]["replicas"]) == (1, 3)
    main = await client.patch(resource, "web", {"spec": {"replicas": 7}, "status": {"replicas": 5}}, "default")
    assert (main["spec"]["replicas"], main["status"]["replicas"]) == (7, 3)


async def test_what_the_server_sets_cannot_be_changed(client: Client) -> None:
    made = await client.create(DEPLOYMENTS, deployment(), "default")
    change = {
        "metadata": {
            "creationTimestamp": "2001-01-01T00:00:00Z",
            "generation": 77,
            "deletionTimestamp": "2001-01-01T00:00:00Z",
        }
    }
    after = await client.patch(DEPLOYMENTS, "web", change, "default")
    assert after["metadata"] == made["metadata"]
    with pytest.raises(Conflict, match="Precondition failed: UID in precondition: other, UID in object meta: "):
        await client.update(DEPLOYMENTS, {**made, "metadata": {**made["metadata"], "uid": "other"}})


async def test_names_of_body_and_path_must_agree(send: Any) -> None:
    await send("POST", MAPS, config_map())
    status, error = await send("PUT", f"{MAPS}/settings", config_map("other"))
    assert (status, error["message"]) == (
        400,
        "the name of the object (other) does not match the name on the URL (settings)",
    )
    elsewhere = config_map() | {"metadata": {"name": "x", "namespace": "kube-system"}}
    status, error = await send("POST", MAPS, elsewhere)
    assert (status, error["message"]) == (
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    )


async def test_a_dry_run_answers_as_if_and_keeps_nothing(client: Client, send: Any) -> None:
    status, made = await send("POST", f"{DEPLOYED}?dryRun=All", deployment())
    assert (status, made["spec"]["replicas"]) == (201, 1)
    with pytest.raises(NotFound):
        await client.get(DEPLOYMENTS, "web", "default")
    await client.create(DEPLOYMENTS, deployment(), "default")
    await send("PATCH", f"{DEPLOYED}/web?dryRun=All", {"spec": {"replicas": 4}}, "application/merge-patch+json")
    await send("DELETE", f"{DEPLOYED}/web?dryRun=All")
    assert (await client.get(DEPLOYMENTS, "web", "default"))["spec"]["replicas"] == 1
    status, error = await send("POST", f"{MAPS}?dryRun=some", config_map())
    assert (status, error["reason"]) == (422, "Invalid")


async def test_unknown_fields_are_refused_warned_of_or_dropped_as_asked(answer: Any, send: Any) -> None:
    obj = deployment(colour="blue")
    status, error = await send("POST", f"{DEPLOYED}?fieldValidation=Strict", obj)
    assert (status, error["message"]) == (
        400,
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.colour"',
    )
    warned = await answer("POST", f"{DEPLOYED}?fieldValidation=Warn&dryRun=All", obj)
    assert warned.status == 201
    assert warned.headers["warning"] == '299 - "unknown field \\"spec.colour\\""'
    assert b"colour" not in warned.body
    silent = await answer("POST", f"{DEPLOYED}?fieldValidation=Ignore", obj)
    assert (silent.status, "warning" in silent.headers) == (201, False)


async def test_what_is_invalid_is_named_with_a_cause_for_each_flaw(send: Any) -> None:
    obj = deployment("Web_1", replicas=-1)
    status, error = await send("POST", DEPLOYED, obj)
    assert (status, error["reason"]) == (422, "Invalid")
    assert error["message"].startswith(
        'Deployment.apps "Web_1" is invalid: [metadata.name: Invalid value: "Web_1": a lowercase RFC 1123'
    )
    fields = [cause["field"] for cause in error["details"]["causes"]]
    assert "metadata.name" in fields
    assert "spec.replicas" in fields
    assert (error["details"]["group"], error["details"]["kind"], error["details"]["name"]) == (
        "apps",
        "Deployment",
        "Web_1",
    )


async def test_a_missing_namespace_is_named(client: Client) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await client.create(CONFIG_MAPS, config_map(), "nowhere")


async def test_a_new_namespace_is_active_and_has_its_service_account(client: Client) -> None:
    made = await client.create(NAMESPACES, {"metadata": {"name": "shop"}})
    assert made["status"] == {"phase": "Active"}
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert (await client.get(SERVICE_ACCOUNTS, "default", "shop"))["metadata"]["uid"]


async def test_services_get_an_address_of_their_own_and_keep_it(client: Client) -> None:
    spec = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    made = [await client.create(SERVICES, {"metadata": {"name": f"s{i}"}, "spec": spec}, "default") for i in range(3)]
    addresses = {s["spec"]["clusterIP"] for s in made}
    assert len(addresses) == 3
    again = await client.update(
        SERVICES, {"metadata": {"name": "s0", "namespace": "default"}, "spec": spec | {"selector": {"app": "other"}}}
    )
    assert again["spec"]["clusterIP"] == made[0]["spec"]["clusterIP"]


async def test_text_of_a_secret_is_stored_encoded(client: Client) -> None:
    made = await client.create(SECRETS, {"metadata": {"name": "s"}, "stringData": {"password": "geheim"}}, "default")
    assert made["data"] == {"password": "Z2VoZWlt"}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


async def test_a_new_pod_is_pending_with_its_quality_of_service(client: Client) -> None:
    resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    for name, wants, quality in (
        ("a", {}, "BestEffort"),
        ("b", {"requests": {"cpu": "1"}}, "Burstable"),
        ("c", resources, "Guaranteed"),
    ):
        container = {"name": "c", "image": "i", "resources": wants}
        pod = await client.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container]}}, "default")
        assert pod["status"] == {"phase": "Pending", "qosClass": quality}
        assert pod["spec"]["serviceAccountName"] == "default"


async def test_a_custom_resource_must_name_the_version_it_replaces(client: Client) -> None:
    obj = deployment() | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    made = await client.create(ROLLOUTS, obj, "default")
    del made["metadata"]["resourceVersion"]
    with pytest.raises(Invalid, match=r"metadata\.resourceVersion: Invalid value: 0: must be specified for an update"):
        await client.update(ROLLOUTS, made)


async def test_patches_of_every_kind_change_what_they_say(send: Any, client: Client) -> None:
    await client.create(DEPLOYMENTS, deployment(), "default")
    url = f"{DEPLOYED}/web"
    _, merged = await send("PATCH", url, {"spec": {"replicas": 2}}, "application/merge-patch+json")
    _, ops = await send(
        "PATCH", url, [{"op": "replace", "path": "/spec/replicas", "value": 3}], "application/json-patch+json"
    )
    container = {"name": "web", "env": [{"name": "A", "value": "1"}]}
    strategic = {"spec": {"template": {"spec": {"containers": [container]}}}}
    _, both = await send("PATCH", url, strategic, "application/strategic-merge-patch+json")
    assert (merged["spec"]["replicas"], ops["spec"]["replicas"]) == (2, 3)
    assert both["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    assert both["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    status, error = await send(
        "PATCH", url, [{"op": "test", "path": "/spec/replicas", "value": 9}], "application/json-patch+json"
    )
    assert (status, error["reason"]) == (422, "Invalid")


async def test_custom_resources_have_no_strategic_merge_patch(send: Any, client: Client) -> None:
    await client.create(ROLLOUTS, deployment() | {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}, "default")
    url = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web"
    status, error = await send("PATCH", url, {"spec": {"replicas": 2}}, "application/strategic-merge-patch+json")
    assert (status, error["reason"]) == (415, "UnsupportedMediaType")


async def test_apply_creates_shares_and_refuses_what_another_owns(send: Any) -> None:
    url, kind = f"{MAPS}/shared", "application/apply-patch+yaml"
    mine = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {a: '1'}\n"
    status, made = await send("PATCH", f"{url}?fieldManager=one", mine, kind)
    assert (status, made["data"]) == (201, {"a": "1"})
    other = mine.replace(b"a: '1'", b"b: '2'")
    status, made = await send("PATCH", f"{url}?fieldManager=two", other, kind)
    assert (status, made["data"]) == (200, {"a": "1", "b": "2"})
    clash = mine.replace(b"a: '1'", b"a: '9'")
    status, error = await send("PATCH", f"{url}?fieldManager=two", clash, kind)
    assert (status, error["reason"]) == (409, "Conflict")
    assert error["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    status, made = await send("PATCH", f"{url}?fieldManager=two&force=true", clash, kind)
    assert (status, made["data"]) == (200, {"a": "9"})
    status, error = await send("PATCH", url, mine, kind)
    assert (status, error["details"]["causes"][0]["field"]) == (422, "fieldManager")
