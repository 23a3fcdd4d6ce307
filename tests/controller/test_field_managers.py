"""The sentence about a field that another writer changes back."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.resources import REPLICA_SETS
from serinus.controller.field_managers import sentence
from serinus.engine.core.plan import Action
from serinus.kube.client import Client

Json = dict[str, Any]
TEAM: Json = {"f:metadata": {"f:annotations": {"f:team": {}}}}
WHOLE: Json = {"f:spec": {"f:selector": {}}}


def entry(manager: str, fields: Json, **more: Any) -> Json:
    return {"manager": manager, "fieldsV1": fields, "time": "2026-01-01T00:00:00Z", **more}


async def said(store: Any, body: Json, *entries: Json, **live: Any) -> str:
    metadata = {"name": "a", "namespace": "a", "managedFields": list(entries), **live.pop("metadata", {})}
    await store.put("replicasets", {"metadata": metadata, **live})
    return await sentence(Client(store), REPLICA_SETS, "a", Action("patch", "ReplicaSet", "a", "", body))


ANNOTATED: Json = {"metadata": {"annotations": {"team": "a"}}}
SELECTED: Json = {"spec": {"selector": {"app": "web"}}}


@pytest.mark.parametrize(
    ("body", "entries", "live", "parts"),
    [
        (
            ANNOTATED,
            [entry("gitops", TEAM)],
            {"metadata": {"annotations": {"team": "b"}}},
            ['to "a"', 'manager "gitops"'],
        ),
        (SELECTED, [entry("gitops", WHOLE)], {"spec": {"selector": {"app": "x"}}}, ["spec.selector.app", '"gitops"']),
        (ANNOTATED, [entry("serinus", TEAM)], {}, ["does not name who does it"]),
        (ANNOTATED, [entry("editor", WHOLE)], {}, ["does not name who does it", 'also written by "editor"']),
        (
            {"metadata": {"annotations": {"team": None}}},
            [],
            {"metadata": {"annotations": {"team": "b"}}},
            ["is removed"],
        ),
    ],
)
async def test_it_names_the_field_and_who_has_it(
    store: Any, body: Json, entries: list[Json], live: Json, parts: list[str]
) -> None:
    text = await said(store, body, *entries, **live)
    assert all(part in text for part in parts), text


async def test_a_writer_of_the_status_alone_is_no_suspect(store: Any) -> None:
    """A wrong name is worse than none: the ReplicaSet controller writes every ReplicaSet's status."""
    text = await said(store, ANNOTATED, entry("kube-controller-manager", {"f:status": {}}, subresource="status"))
    assert "kube-controller-manager" not in text


async def test_what_is_as_it_was_written_is_no_conflict(store: Any) -> None:
    assert await said(store, ANNOTATED, entry("gitops", TEAM), metadata={"annotations": {"team": "a"}}) == ""


async def test_an_object_that_is_deleted_each_time(store: Any) -> None:
    text = await sentence(Client(store), REPLICA_SETS, "a", Action("create", "ReplicaSet", "a", ""))
    assert text == "ReplicaSet a was created several times, and another client deletes it each time"
