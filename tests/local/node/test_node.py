"""The node on the real API server, in virtual time. Only final states are asserted."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from serinus.api.resources import CONFIG_MAPS, LEASES, NODES, PODS, SERVICES
from serinus.kube.client import Client
from serinus.kube.errors import ApiError
from serinus.local.node.images import ImageProgram
from serinus.local.node.node import Node
from tests.support.local.fake_node import FakeProgram

pytestmark = pytest.mark.looptime


async def live(world: Any, name: str = "p") -> Any:
    return await world.client.get(PODS, name, "default")


async def state(world: Any, name: str = "p") -> Any:
    statuses = ((await live(world, name)).get("status") or {}).get("containerStatuses") or [{}]
    return statuses[0]


async def waits(world: Any, reason: str) -> Any:
    """The message of the waiting state with this reason."""

    async def found() -> Any:
        waiting = ((await state(world)).get("state") or {}).get("waiting") or {}
        return waiting.get("message") if waiting.get("reason") == reason else None

    return await world.until(found, 400)


async def phase_is(world: Any, phase: str) -> None:
    async def reached() -> bool:
        return (await live(world))["status"]["phase"] == phase

    await world.until(reached, 400)


async def test_a_pod_is_bound_started_and_ready_with_all_that_kubectl_shows(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(container={"ports": [{"containerPort": 8080}]}), "default")
    (pod,) = await world.until(world.ready)
    status = pod["status"]
    assert (pod["spec"]["nodeName"], status["phase"], status["hostIP"]) == ("serinus", "Running", "127.0.0.1")
    assert status["podIP"].startswith("127.77.")
    assert {c["type"] for c in status["conditions"] if c["status"] == "True"} == {
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    }
    (container,) = status["containerStatuses"]
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)


async def test_a_container_is_ready_only_when_it_listens(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(listens_after=1.0)
    await world.client.create(PODS, make.pod(container={"ports": [{"containerPort": 8080}]}), "default")
    began = world.clock.now()
    await world.until(world.ready)
    assert 1.0 <= world.clock.now() - began <= 1.1


@pytest.mark.long
async def test_a_container_that_never_listens_is_told_on_which_address_it_should(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(listens_after=None)
    await world.client.create(PODS, make.pod(container={"ports": [{"containerPort": 8080}]}), "default")

    async def told() -> Any:
        conditions = (await live(world))["status"].get("conditions") or []
        return next(
            (c["message"] for c in conditions if c["type"] == "Ready" and "POD_IP" in c.get("message", "")), None
        )

    message = await world.until(told)
    assert (await live(world))["status"]["podIP"] + ":8080" in message


async def test_an_image_that_does_not_exist_is_waited_for_and_runs_once_it_does(world: Any, make: Any) -> None:
    missing = True
    world.runtime.script = lambda image, attempt: FakeProgram(missing=missing)
    await world.client.create(PODS, make.pod(), "default")
    assert "does not exist" in await waits(world, "ErrImagePull")
    assert "does not exist" in await waits(world, "ImagePullBackOff")
    missing = False
    await world.until(world.ready)


async def test_a_new_image_rule_is_tried_at_once(world: Any, make: Any) -> None:
    """A corrected typing error must not wait five minutes for the back-off."""
    missing = True
    world.runtime.script = lambda image, attempt: FakeProgram(missing=missing)
    await world.client.create(PODS, make.pod(), "default")
    await asyncio.sleep(1000)
    missing = False
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "serinus-images"},
        "data": {"images.yaml": "[]"},
    }
    await world.client.create(CONFIG_MAPS, config, "default")
    began = world.clock.now()
    await world.until(world.ready)
    assert world.clock.now() - began < 1


async def test_a_crashing_container_says_how_it_ended_and_where_to_look(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(runs_for=0.5, exit_code=3, last_line="boom")
    await world.client.create(PODS, make.pod(), "default")
    message = await waits(world, "CrashLoopBackOff")
    for part in ("back-off 10s", "exit code 3", '"boom"', "kubectl logs p -n default -c c --previous"):
        assert part in message


async def test_restarts_are_at_once_then_after_ten_seconds_doubling_to_five_minutes(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(runs_for=0.0, exit_code=1)
    await world.client.create(PODS, make.pod(), "default")
    await asyncio.sleep(1500)
    starts = [t for t, what, *_ in world.runtime.history if what == "start"]
    gaps = [round(b - a) for a, b in pairwise(starts)]
    assert gaps[:8] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert (await state(world))["restartCount"] == len(starts) - 1


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 2, "Failed"), ("OnFailure", 0, "Succeeded"), ("OnFailure", 2, "Running")],
)
async def test_the_restart_policy_decides_what_an_end_means(
    world: Any, make: Any, policy: str, code: int, phase: str
) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(runs_for=1, exit_code=code)
    await world.client.create(PODS, make.pod(restartPolicy=policy), "default")
    await asyncio.sleep(20)
    assert (await live(world))["status"]["phase"] == phase


async def test_a_program_that_cannot_be_started_says_why(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(refuses="command './web' is no program")
    await world.client.create(PODS, make.pod(), "default")
    message = await waits(world, "CrashLoopBackOff")
    assert "command './web' is no program" in message


async def test_a_missing_config_map_is_named_and_the_pod_starts_when_it_appears(world: Any, make: Any) -> None:
    env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "conf", "key": "x"}}}]
    await world.client.create(PODS, make.pod(container={"env": env}), "default")
    assert 'configmap "conf" not found' in await waits(world, "CreateContainerConfigError")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"x": "1"}}
    await world.client.create(CONFIG_MAPS, body, "default")
    await world.until(world.ready)
    (launch,) = world.runtime.live()
    assert launch.env["X"] == "1"


async def test_a_container_finds_its_address_and_port_in_its_environment_and_command(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(container={"ports": [{"containerPort": 9090}]}), "default")
    (pod,) = await world.until(world.ready)
    (launch,) = world.runtime.live()
    ip = pod["status"]["podIP"]
    assert {k: launch.env[k] for k in ("POD_IP", "HOST", "PORT", "HOSTNAME")} == {
        "POD_IP": ip,
        "HOST": ip,
        "PORT": "9090",
        "HOSTNAME": "p",
    }


async def test_init_containers_run_one_after_the_other_before_the_others(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(runs_for=5 if image.startswith("init") else None)
    init = [{"name": "one", "image": "init:1"}, {"name": "two", "image": "init:2"}]
    await world.client.create(PODS, make.pod(initContainers=init), "default")
    await world.until(world.ready)
    begun = [
        (round(t - world.runtime.history[0][0]), image)
        for t, what, _, image in world.runtime.history
        if what == "start"
    ]
    assert begun == [(0, "init:1"), (5, "init:2"), (10, "x:1")]


async def test_a_sidecar_runs_beside_the_others_and_ends_after_them(world: Any, make: Any) -> None:
    init = [{"name": "side", "image": "side:1", "restartPolicy": "Always"}]
    await world.client.create(PODS, make.pod(initContainers=init), "default")
    await world.until(world.ready)
    assert {launch.image for launch in world.runtime.live()} == {"side:1", "x:1"}
    await world.client.delete(PODS, "p", "default")
    await world.until(lambda: world.gone(PODS, "p"))
    assert [image for _, what, _, image in world.runtime.history if what == "end"] == ["x:1", "side:1"]


async def test_a_container_that_fails_its_liveness_probe_is_restarted(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(unhealthy_after=30 if attempt == 0 else None)
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 5, "failureThreshold": 2}
    await world.client.create(PODS, make.pod(container={"livenessProbe": probe}), "default")
    await asyncio.sleep(200)
    found = await state(world)
    assert found["restartCount"] == 1
    assert "running" in found["state"]


async def test_a_readiness_probe_that_fails_takes_the_pod_out_and_says_why(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(unhealthy_after=30)
    probe = {"httpGet": {"port": 8080}, "periodSeconds": 1}
    await world.client.create(PODS, make.pod(container={"readinessProbe": probe}), "default")
    await world.until(world.ready)
    await asyncio.sleep(40)
    assert await world.ready() == []
    conditions = (await live(world))["status"]["conditions"]
    assert "statuscode: 500" in next(c["message"] for c in conditions if c["type"] == "Ready")
    assert (await state(world))["restartCount"] == 0


@pytest.mark.long
async def test_other_probes_wait_for_the_startup_probe(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(listens_after=60)
    slow = {"tcpSocket": {"port": 8080}, "periodSeconds": 10, "failureThreshold": 30}
    quick = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"startupProbe": slow, "livenessProbe": quick, "readinessProbe": quick}
    await world.client.create(PODS, make.pod(container=container), "default")
    await world.until(world.ready)
    assert (await state(world))["restartCount"] == 0


async def test_a_process_that_ignores_sigterm_is_killed_after_its_grace_period(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(stops_in=1000)
    await world.client.create(PODS, make.pod(terminationGracePeriodSeconds=7), "default")
    await world.until(world.ready)
    await world.client.delete(PODS, "p", "default")
    await world.until(lambda: world.gone(PODS, "p"))
    times = {what: t for t, what, *_ in world.runtime.history}
    assert times["kill"] - times["term"] == pytest.approx(7)


async def test_a_pre_stop_hook_runs_before_sigterm_and_within_the_grace_period(world: Any, make: Any) -> None:
    container = {"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}
    await world.client.create(PODS, make.pod(container=container), "default")
    await world.until(world.ready)
    began = world.clock.now()
    await world.client.delete(PODS, "p", "default")
    await world.until(lambda: world.gone(PODS, "p"))
    (told,) = [t for t, what, *_ in world.runtime.history if what == "term"]
    assert told - began == pytest.approx(3, abs=0.1)


@pytest.mark.long
async def test_a_pod_that_gets_no_traffic_ends_without_delay(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    began = world.clock.now()
    await world.client.delete(PODS, "p", "default")
    await world.until(lambda: world.gone(PODS, "p"))
    assert world.clock.now() - began < 0.1


async def test_a_pod_that_is_removed_by_force_leaves_no_process_behind(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(stops_in=1000)
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    await world.client.delete(PODS, "p", "default", grace=0)
    assert await world.gone(PODS, "p")
    await world.until(lambda: not world.runtime.live())


async def test_after_a_crash_a_running_pod_is_taken_over_without_losing_traffic(world: Any, make: Any) -> None:
    await world.client.create(SERVICES, make.service("p"), "default")
    pod = make.pod(container={"ports": [{"name": "http", "containerPort": 8080}]})
    await world.client.create(PODS, {**pod, "metadata": {"name": "p", "labels": {"app": "p"}}}, "default")
    (before,) = await world.until(world.ready)
    await world.stop()
    world.start()
    await asyncio.sleep(30)
    assert (await live(world))["status"] == before["status"]
    assert [what for _, what, *_ in world.runtime.history] == ["start"]


async def test_after_a_crash_what_no_longer_runs_is_started_again(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    await world.stop()
    await world.runtime.stop_all(0)
    world.start()
    await world.until(lambda: len(world.runtime.live()) == 1)
    await world.until(world.ready)
    found = await state(world)
    assert found["restartCount"] == 1
    assert found["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


async def test_after_a_crash_a_pod_whose_process_is_gone_is_out_of_traffic(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    await world.stop()
    await world.runtime.stop_all(0)
    world.runtime.script = lambda image, attempt: FakeProgram(missing=True)
    world.start()
    await asyncio.sleep(1)
    assert await world.ready() == []


async def test_after_a_crash_processes_of_pods_that_are_no_more_are_ended(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    await world.stop()
    await world.client.delete(PODS, "p", "default", grace=0)
    world.start()
    await world.until(lambda: not world.runtime.live())


async def test_after_a_crash_a_pod_that_was_ending_still_gets_its_grace(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(stops_in=3)
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    await world.client.delete(PODS, "p", "default")
    await world.stop()
    world.start()
    await world.until(lambda: world.gone(PODS, "p"))
    assert "kill" not in [what for _, what, *_ in world.runtime.history]


async def test_a_finished_pod_is_not_run_again_after_a_crash(world: Any, make: Any) -> None:
    world.runtime.script = lambda image, attempt: FakeProgram(runs_for=1)
    await world.client.create(PODS, make.pod(restartPolicy="Never"), "default")
    await phase_is(world, "Succeeded")
    await world.stop()
    world.start()
    await asyncio.sleep(20)
    assert [what for _, what, *_ in world.runtime.history] == ["start", "end"]


async def test_a_changed_image_restarts_the_container_with_it(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    patch = [{"op": "replace", "path": "/spec/containers/0/image", "value": "x:2"}]
    await world.client.patch(PODS, "p", patch, "default", content_type="application/json-patch+json")
    await world.until(lambda: [launch.image for launch in world.runtime.live()] == ["x:2"])


@pytest.mark.long
async def test_a_gated_pod_is_not_scheduled_until_its_gate_opens(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(schedulingGates=[{"name": "example.com/wait"}]), "default")
    await asyncio.sleep(10)
    assert "nodeName" not in (await live(world))["spec"]
    await world.client.patch(PODS, "p", {"spec": {"schedulingGates": None}}, "default")
    await world.until(world.ready)


async def test_a_pod_for_another_node_is_not_touched(world: Any, make: Any) -> None:
    await world.client.create(PODS, make.pod(nodeName="elsewhere"), "default")
    await asyncio.sleep(10)
    assert world.runtime.live() == []


async def test_the_node_is_ready_and_its_lease_is_renewed(world: Any) -> None:
    await world.until(lambda: exists(world, LEASES, "serinus", "kube-node-lease"))
    node = await world.client.get(NODES, "serinus")
    assert any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    before = (await world.client.get(LEASES, "serinus", "kube-node-lease"))["spec"]["renewTime"]
    await asyncio.sleep(11)
    assert (await world.client.get(LEASES, "serinus", "kube-node-lease"))["spec"]["renewTime"] > before


async def exists(world: Any, resource: Any, name: str, namespace: str) -> bool:
    return not await world.gone(resource, name, namespace)


async def test_a_node_that_failed_and_runs_again_looks_after_its_pods_as_before(
    world: Any, make: Any, tmp_path: Path
) -> None:
    """`serinus up` restarts a part that failed: its pods must not be left without an owner."""
    await world.stop()
    node = Node(Client(world.api.handle), world.runtime, world.clock, Random(1), data_dir=tmp_path)
    first = asyncio.create_task(node.run())
    await world.client.create(PODS, make.pod(), "default")
    await world.until(world.ready)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(node.run())
    await asyncio.sleep(5)
    world.runtime.crash("p")

    async def restarted() -> bool:
        return (await state(world)).get("restartCount") == 1 and bool(await world.ready())

    await world.until(restarted)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


ODD = {
    "command[1]": {"command": ["x", "a\0b"]},
    "args[0]": {"command": ["x"], "args": ["\0"]},
    "variable 'A' of": {"env": [{"name": "A", "value": "\0"}]},
    "a variable cannot be called 'A=B'": {"env": [{"name": "A=B", "value": "x"}]},
    "workingDir": {"workingDir": "/tmp/\0"},
}


@pytest.mark.parametrize("field", ODD)
async def test_a_text_that_no_process_can_be_given_is_named_with_its_field(field: str, world: Any, make: Any) -> None:
    """The worker of such a pod failed every second, and the pod was Pending without a reason."""
    world.runtime.program = _as_given
    try:
        await world.client.create(PODS, make.pod(container=ODD[field]), "default")
    except ApiError as error:
        assert "A=B" in error.message  # noqa: PT017 - the API server may refuse it before
        return
    message = await waits(world, "CreateContainerConfigError")
    assert field in message
    assert "spec.containers[" in message or field.startswith("a variable")


async def _as_given(container: Any, rules: Any, namespace: str) -> ImageProgram:
    return ImageProgram(tuple(container.get("command") or ()), tuple(container.get("args") or ()))


@pytest.mark.long
async def test_a_flaw_in_a_pods_worker_is_in_the_pods_status_and_tried_again_ever_more_rarely(
    world: Any, make: Any
) -> None:
    tries: list[float] = []

    async def still_running(pod: Any) -> Any:
        tries.append(world.clock.now())
        if len(tries) < 6:
            raise RuntimeError("a flaw")
        return []

    world.runtime.still_running = still_running
    await world.client.create(PODS, make.pod(), "default")

    async def told() -> Any:
        status = (await live(world)).get("status") or {}
        return status.get("reason") == "FailedSync" and status.get("message")

    assert "RuntimeError: a flaw" in await world.until(told, 60)
    await world.until(world.ready, 400)
    assert "reason" not in (await live(world))["status"]
    waits_ = [b - a for a, b in pairwise(tries)]
    assert waits_ == sorted(waits_)
    assert waits_[-1] >= 8 * waits_[0] * 0.9
