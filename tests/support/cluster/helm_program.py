"""A real `helm`, built once from its Go module and stored beside the user's other caches."""

from __future__ import annotations

from pathlib import Path

from tests.support.cluster.binary import build_module, built

VERSION = "v3.22.0"
MODULE = "helm.sh/helm/v3/cmd/helm"


def helm() -> Path:
    """The program; it is built if missing. NoBinary if the build is impossible."""
    return built(f"helm-{VERSION}", lambda place: build_module(f"{MODULE}@{VERSION}", place, "helm"), lock="helm.lock")


if __name__ == "__main__":
    print(helm())
