"""`serinus history`: revisions, and the author and time of each change."""

from __future__ import annotations

import json

from tests.support.cli.cli_cluster import Space, rollout


def replica_set(space: Space, owner: str, revision: int, image: str) -> None:
    labels = {"app": "web", "rollouts-pod-template-hash": f"h{revision}"}
    reference = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": "web",
        "uid": owner,
        "controller": True,
    }
    meta = {
        "name": f"web-h{revision}",
        "labels": labels,
        "annotations": {"rollout.argoproj.io/revision": str(revision)},
        "ownerReferences": [reference],
    }
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
    space.put({"kind": "ReplicaSet", "metadata": meta, "spec": {"selector": {"matchLabels": labels}, "template": pods}})


def test_revisions_and_commands_are_listed_with_who_gave_them(space: Space) -> None:
    notes = {"rollout.argoproj.io/revision": "2"}
    made = space.put(rollout(status={"currentPodHash": "b"}, annotations=notes))
    replica_set(space, made["metadata"]["uid"], 1, "web:1")
    replica_set(space, made["metadata"]["uid"], 2, "web:2")
    space.run("abort", "web")
    out = space.run("history", "web").out
    assert "revision made: web:1" in out
    assert "revision made: web:2" in out
    assert "Abort of revision 2 by " in out
    assert "spec written: replicas, selector, strategy, template" in out


def test_programs_get_json(space: Space) -> None:
    made = space.put(rollout())
    replica_set(space, made["metadata"]["uid"], 1, "web:1")
    entries = json.loads(space.run("history", "web", "-o", "json").out)
    assert {"revision": 1, "what": "revision made: web:1"}.items() <= next(e for e in entries if e["revision"]).items()
