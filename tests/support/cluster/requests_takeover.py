"""Take over an update that Argo Rollouts left half-way, complete it, and release it again, while requests continue."""

from __future__ import annotations

from tests.support.cluster.cluster import HOME
from tests.support.cluster.requests_scene import Scene
from tests.support.cluster.takeover_scene import checked, full, put_all, retold
from tests.support.instance.live import eventually
from tests.support.plays.left_behind import left_behind

PLAY = "nginx-walk"


def from_argo_rollouts_and_back(scene: Scene) -> None:
    """Check the changes before; complete the update with Serinus; leave a second one half-way, without a controller.

    Argo Rollouts' own program does not run here: the recorded plays check that it finds its state. This test checks that
    nothing changes for requests between the two controllers.
    """
    left = next(one for one in left_behind(PLAY) if "get rollout" in one.about)
    left = retold(left, '"web.test"', f'"{scene.host}"')
    scene.cluster.kill("controller")
    try:
        put_all(scene.there, left)
        eventually(lambda: full(scene.there, left), 60)
        eventually(lambda: scene.there.ask(scene.host)[0] == 200, 60)
        scene.ledger.now("left by Argo Rollouts at 20 %", "blue", "green")
        scene.asking.start()
        code, found = checked(scene.cluster, "-n", HOME)
        (told,) = [one for one in found["rollouts"] if one["namespace"] == scene.there.namespace]
        assert (code, told.get("refused", "")) == (0, "")
        assert not {"pods", "traffic"} & set(told["changes"]), told
    finally:
        scene.ledger.now("taken over at 20 %", "blue", "green")
        scene.cluster.start_controller()
    scene.typed("kubectl argo rollouts promote web")
    scene.healthy("green", "blue")
    scene.ledger.now("canary of yellow", "yellow", "green")
    scene.image("yellow")
    scene.phase("Paused")
    scene.weight(20)
    scene.cluster.kill("controller")
    try:
        scene.ledger.now("let go at 20 %", "yellow", "green")
        shares = scene.asking.colors(200)
        assert shares["yellow"], shares
        assert shares["green"], shares
    finally:
        scene.cluster.start_controller()
    scene.ledger.now("taken back, and aborted", "yellow", "green")
    scene.typed("kubectl argo rollouts abort web")
    scene.phase("Degraded")
    scene.only("green")
