from __future__ import annotations

import pytest

from serinus.local.node.containers.addresses import REST, Addresses, PoolExhausted


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def test_each_pod_has_an_address_of_its_own() -> None:
    addresses = Addresses(Hands(), "127.77.0.0/24")
    assert len({addresses.take(f"pod-{i}") for i in range(254)}) == 254


def test_a_pod_keeps_the_address_it_had() -> None:
    addresses = Addresses(Hands())
    assert addresses.take("a", "127.77.3.4") == "127.77.3.4"
    assert addresses.take("a", "127.77.3.4") == "127.77.3.4"
    assert addresses.take("b", "127.77.3.4") != "127.77.3.4"


def test_an_address_of_another_pool_is_not_kept() -> None:
    assert Addresses(Hands()).take("a", "10.0.0.1").startswith("127.77.")


def test_an_address_rests_before_it_is_given_to_another_pod() -> None:
    """A gateway may still hold connections to its last pod."""
    clock = Hands()
    addresses = Addresses(clock, "127.77.0.0/30")
    held = [addresses.take(str(i)) for i in range(3)]
    addresses.release("1")
    with pytest.raises(PoolExhausted, match="larger pool"):
        addresses.take("new")
    clock.time = REST
    assert addresses.take("new") == held[1]


def test_an_address_on_which_a_stranger_listens_is_passed_over() -> None:
    first = Addresses(Hands()).take("a")
    assert Addresses(Hands(), occupied=lambda: [first]).take("a") != first
