"""The fixtures of the tests on a node with containers."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster.binary import NoBinary
from tests.support.cluster.helm_program import helm
from tests.support.cluster.network import NoNetwork, ask_for_network
from tests.support.nodes.helm_release import Release
from tests.support.nodes.installed import install, uninstall
from tests.support.nodes.node import Node
from tests.support.nodes.podman import podman_or_skip
from tests.support.nodes.programs import ask_for_packages, init_program
from tests.support.nodes.shop import Shop
from tests.support.nodes.standing import running_node

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def init() -> Path:
    """The program that is the first process of a machine, where one can be had."""
    try:
        ask_for_network()
        ask_for_packages()
        return init_program()
    except (NoBinary, NoNetwork) as error:
        pytest.skip(f"no node with containers here: {error}")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """From here on to the end of the run, this process lives in the node's network."""
    with ExitStack() as stack:
        try:
            node = stack.enter_context(running_node(tmp_path_factory.mktemp("node")))
        except (NoBinary, NoNetwork) as error:
            pytest.skip(f"no node with containers here: {error}")
        yield node
        print(node.logs())


@pytest.fixture(scope="module")
def installed(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node with the controller, which kustomize installs, for the tests of a module."""
    install(node, tmp_path_factory.mktemp("kustomization"))
    yield node
    uninstall(node)


@pytest.fixture(scope="module")
def release(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Helm, with nothing installed yet."""
    try:
        release = Release(helm(), node, tmp_path_factory.mktemp("helm"))
    except NoBinary as error:
        pytest.skip(f"no helm here: {error}")
    yield release
    release.end()


@pytest.fixture
def shop(node: Node) -> Iterator[Shop]:
    """A namespace of the test's own."""
    with _shop(node) as shop:
        yield shop


@pytest.fixture
def second(node: Node) -> Iterator[Shop]:
    """Another one."""
    with _shop(node) as shop:
        yield shop


@contextmanager
def _shop(node: Node) -> Generator[Shop]:
    shop = Shop(node, f"shop-{next(_numbers)}")
    try:
        yield shop
    finally:
        print(
            shop.plugin("get", "rollout", "shop", "--no-color"), shop.kubectl("get", "pods", "-o", "wide", check=False)
        )
        shop.end()


@pytest.fixture(scope="module")
def podman() -> Iterator[None]:
    """The tests of a module live in the network of a Podman of their own."""
    with podman_or_skip():
        yield
