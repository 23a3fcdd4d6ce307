import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serinus.api.names import HASH
from serinus.api.pods.defaults import copied, with_defaults, with_rollout_defaults
from serinus.api.pods.identity import pod_template_hash, same_template, step_hash, stripped
from serinus.api.rollout import CanaryStep, Pause

RECORDED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data/recorded_hashes.json").read_text()
)

WEB = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "nginx:1.25"}]}}


def test_known_hashes_come_out():
    assert pod_template_hash(WEB) == "7dc666b946"
    assert pod_template_hash(WEB, collision_count=1) == "68db74476c"


@pytest.mark.parametrize("seen", RECORDED["templates"], ids=lambda seen: seen["hash"])
def test_a_template_hashes_as_argo_rollouts_hashed_it(seen: dict[str, Any]):
    """Recorded on a real cluster: Serinus must find a ReplicaSet of Argo Rollouts, or all pods restart."""
    stored = with_defaults if seen["defaults"] == "core" else with_rollout_defaults
    assert pod_template_hash(stored(seen["template"])) == seen["hash"]


@pytest.mark.parametrize("seen", RECORDED["steps"], ids=lambda seen: seen["hash"])
def test_steps_hash_as_argo_rollouts_hashed_them(seen: dict[str, Any]):
    """Another hash would restart every canary in flight when the controller is replaced."""
    assert step_hash(msgspec.convert(seen["steps"], list[CanaryStep])) == seen["hash"]


def test_no_steps_and_indefinite_pauses_have_their_known_hashes():
    assert [step_hash([CanaryStep(pause=Pause())] * count) for count in (0, 1, 2)] == [
        "5ffbfbbd64",
        "6b9b86fbd5",
        "79c9b9f6bf",
    ]


def template(**container: Any) -> dict[str, Any]:
    changed = copied(WEB)
    changed["spec"]["containers"][0].update(container)
    return changed


def live(wanted: dict[str, Any]) -> dict[str, Any]:
    """As an API server stores it in the ReplicaSet."""
    stored = with_defaults(wanted)
    stored["metadata"]["labels"][HASH] = "7dc666b946"
    stored["spec"]["serviceAccount"] = stored["spec"].get("serviceAccountName")
    return stored


@pytest.mark.parametrize(
    "wanted",
    [
        template(resources={"requests": {"cpu": "1000m", "memory": "1024Mi"}}),
        template(resources={"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {}}),
        template(
            resources={"requests": {"memory": "1073741824", "cpu": "1.000"}}, env=[], terminationMessagePolicy="File"
        ),
    ],
)
def test_another_spelling_is_no_new_revision(wanted: dict[str, Any]):
    """Order of keys, amounts, empty lists and defaults spelled out: the pods would be the same."""
    assert same_template(live(template(resources={"requests": {"memory": "1Gi", "cpu": "1"}})), wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        template(image="nginx:1.26"),
        template(resources={"requests": {"cpu": "1"}}),
        template(env=[{"name": "A", "value": "b"}]),
        {**WEB, "metadata": {"labels": {"app": "web", "tier": "a"}}},
        {**WEB, "spec": {**WEB["spec"], "terminationGracePeriodSeconds": 0}},
    ],
)
def test_a_real_change_is_a_new_revision(wanted: dict[str, Any]):
    assert not same_template(live(WEB), wanted)


def test_what_rollouts_inject_is_no_part_of_the_revision():
    stored = live(WEB)
    term = {"labelSelector": {"matchExpressions": [{"key": HASH, "operator": "In", "values": ["68fb5766d6"]}]}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [{**term, "topologyKey": "kubernetes.io/hostname"}]}
    stored["spec"]["affinity"] = {"podAntiAffinity": required}
    assert same_template(stored, WEB)
    assert "affinity" not in stripped(stored)["spec"], "undo writes none of it into the Rollout"


def test_own_anti_affinity_still_counts():
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    own = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert not same_template(live({**WEB, "spec": {**WEB["spec"], "affinity": own}}), WEB)


def test_hashing_changes_nothing_and_a_wrong_quantity_is_named():
    before = copied(WEB)
    same_template(WEB, WEB)
    assert before == WEB
    with pytest.raises(ValueError, match="lots"):
        pod_template_hash(template(resources={"requests": {"cpu": "lots"}}))
