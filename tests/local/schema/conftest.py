"""Kinds by name, with the five argoproj.io kinds served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from serinus.api.resources import BY_KIND
from serinus.api.schema.crds import crds
from serinus.local.schema.kinds import Kind, Schemas


@pytest.fixture(scope="session")
def schemas() -> Schemas:
    served = Schemas()
    for crd in crds():
        assert not served.add_crd(crd)
    return served


@pytest.fixture(scope="session")
def kind(schemas: Schemas) -> Callable[[str], Kind]:
    def find(name: str) -> Kind:
        r = BY_KIND[name]
        found = schemas.kind(r.group, r.version, r.plural)
        assert found, name
        return found

    return find


@pytest.fixture
def template() -> dict[str, Any]:
    ports = [{"containerPort": 80}]
    return {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "web", "image": "web:1", "ports": ports}]},
    }
