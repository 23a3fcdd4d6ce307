"""The controller of the version before is replaced by this one in mid-update under load, and comes back.

With `$SERINUS_IMAGE`, an archive of `make image`, the version before runs from the image that `make image` builds of its commit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from serinus.install.installation import NAME
from tests.support.cluster.binary import NoBinary
from tests.support.nodes.helm_release import CHART, Release
from tests.support.nodes.images import PREVIOUS, previous_controller
from tests.support.nodes.installed import HOME, RELEASED, imported
from tests.support.nodes.node import Node
from tests.support.nodes.previous_image import previous_image
from tests.support.nodes.python_files import REPOSITORY
from tests.support.nodes.shop import Shop, rollout, service
from tests.support.previous_version import NoPrevious, previous

UNTAGGED = "9fcdb712bdb876e5bc4e7daf182d681bd1496780" if RELEASED else "097f3baa8c5d8e42ac2e9cab0d5cfa4cc6014504"
"""The version before while no version has a tag: the first commit that `make image` builds, or the first commit whose controller
runs with the packages of today."""
CANARY = {
    "canary": {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "steps": [
            {"setWeight": 25},
            {"pause": {}},
            {"setWeight": 50},
            {"pause": {"duration": "20s"}},
            {"setWeight": 75},
            {"pause": {}},
        ],
    }
}
BLUE_GREEN = {
    "blueGreen": {
        "activeService": "shop",
        "previewService": "shop-preview",
        "autoPromotionEnabled": False,
        "scaleDownDelaySeconds": 5,
    }
}
JSONPATH = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"


@dataclass(frozen=True)
class Version:
    """`source`: its checkout, with the chart and the definitions. `image`: its name on the node."""

    source: Path
    image: str


@pytest.fixture(scope="module")
def old(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The version before, whose image the node has."""
    directory = tmp_path_factory.mktemp("previous")
    try:
        commit, source = previous(UNTAGGED, directory / "source", "serinus", "install")
        if RELEASED:
            return Version(source, imported(node, previous_image(commit), "localhost/serinus-previous"))
    except (NoPrevious, NoBinary) as error:
        pytest.skip(str(error))
    node.import_images(previous_controller(directory / "image.tar", source))
    return Version(source, PREVIOUS)


@pytest.fixture(scope="module")
def before(release: Release, old: Version) -> Release:
    """The version before leads."""
    _define(release.node, old.source)
    release.install(source=old.source, of=old.image)
    return release


@pytest.fixture(scope="module")
def after(release: Release, old: Version) -> Release:
    """This version leads, and replaced the one before."""
    if not release.installed():
        _define(release.node, old.source)
        release.install(source=old.source, of=old.image)
        _upgrade(release)
    return release


def test_updates_under_way_continue_after_an_upgrade(before: Release, old: Version, shop: Shop, second: Shop) -> None:
    """The definitions first, then the controllers."""
    replaced(shop, second, lambda: _upgrade(before))
    assert _image(before) != old.image


def test_updates_under_way_continue_after_a_way_back(after: Release, old: Version, shop: Shop, second: Shop) -> None:
    """`helm rollback` leaves the newer definitions."""
    replaced(shop, second, after.rollback)
    assert _image(after) == old.image


def replaced(canary: Shop, blue_green: Shop, act: Callable[[], None]) -> None:
    """`act` replaces the controllers while a canary adds pods, and waits at its timed pause; a blue-green release waits for a user."""
    canary.apply(rollout(CANARY), service())
    blue_green.apply(rollout(BLUE_GREEN, replicas=2), service(), service("shop-preview"))
    for shop in (canary, blue_green):
        shop.becomes("Healthy")
    with ExitStack() as stack:
        by_canary, by_blue_green = (stack.enter_context(shop.visited()) for shop in (canary, blue_green))
        canary.apply(rollout(CANARY, color="green"))
        blue_green.apply(rollout(BLUE_GREEN, color="green", replicas=2))
        for shop in (canary, blue_green):
            shop.becomes("Paused")
            told = shop.upgrade_check()
            assert (told["changes"], told.get("refused", "")) == ([], "")
        canary.plugin("promote", "shop")
        act()
        canary.pauses_at(5)
        by_blue_green.all_become("blue")
        for shop in (canary, blue_green):
            shop.plugin("promote", "shop")
            shop.becomes("Healthy")
        by_canary.all_become("green")
        by_blue_green.all_become("green")
    for shop, pods in ((canary, 8), (blue_green, 4)):
        assert (shop.created()["replicasets"], shop.created()["pods"]) == (2, pods), "none is made twice"
        assert set(shop.kubectl("get", "pods", "-o", JSONPATH).split()) == {"0"}


def _upgrade(release: Release) -> None:
    _define(release.node, REPOSITORY)
    release.upgrade()


def _define(node: Node, source: Path) -> None:
    """As `serinus install --only-crds` of that version."""
    node.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(source / CHART / "crds"))


def _image(release: Release) -> str:
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return release.node.kubectl("get", "deployment", NAME, "-n", HOME, "-o", path)
