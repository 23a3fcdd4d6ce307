"""The changes of a revision: fields by name, and no value that may be a secret."""

from __future__ import annotations

from typing import Any

from serinus.view.template_changes import template_changes

Json = dict[str, Any]


def template(**container: Any) -> Json:
    labels = {"rollouts-pod-template-hash": str(container)}
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1", **container}]}}


def test_a_changed_field_has_both_values_and_the_hash_label_is_none() -> None:
    (change,) = template_changes(template(), template(image="web:2"))
    assert (change.field, change.before, change.after) == ("containers[web].image", "web:1", "web:2")


def test_values_that_may_be_secrets_are_left_out() -> None:
    before = template(env=[{"name": "KEY", "value": "old-secret"}], args=["--password=old"])
    after = template(env=[{"name": "KEY", "value": "new-secret"}], args=["--password=new"])
    changes = template_changes(before, after)
    assert [change.field for change in changes] == ["containers[web].args", "containers[web].env[KEY].value"]
    assert all(change.hidden and not change.before and not change.after for change in changes)


def test_a_container_in_another_place_is_no_change_and_a_new_one_is() -> None:
    side: Json = {"name": "side", "image": "side:1"}
    before, after = template(), template()
    before["spec"]["containers"] += [side]
    after["spec"]["containers"] = [side, *after["spec"]["containers"]]
    assert not template_changes(before, after)
    (change,) = template_changes(template(), before)
    assert (change.field, change.before, change.after) == ("containers[side].image", "", "side:1")
