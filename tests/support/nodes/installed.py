"""The controller on a node, installed as a user installs it: its Deployment runs the image of this run."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import yaml

from serinus.install.installation import NAME
from tests.support.instance.live import eventually
from tests.support.nodes.images import CONTROLLER, NOBODY
from tests.support.nodes.node import Node
from tests.support.nodes.python_files import REPOSITORY, interpreter

HOME = "argo-rollouts"
LEASE = "argo-rollouts-controller-lock"
RELEASED = Path(os.environ["SERINUS_IMAGE"]) if os.environ.get("SERINUS_IMAGE") else None
"""An archive of `make image`, dist/serinus-VERSION-ARCH.oci.tar, whose image the controller has in place of the tests' own."""
PYTHON = "/opt/serinus/bin/python" if RELEASED else str(interpreter())
"""In the controller's image."""
CONTROLLERS = f"app.kubernetes.io/name={NAME}"
INSIDE = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
try:
    open("/opt/written", "w")
    written = True
except OSError:
    written = False
names = ("CapEff", "CapBnd", "Seccomp", "NoNewPrivs")
print(json.dumps({"user": os.getuid(), "written": written, **{name: int(status[name], 16) for name in names}}))
"""
NO_RIGHTS = {"user": int(NOBODY), "written": False, "CapEff": 0, "CapBnd": 0, "Seccomp": 2, "NoNewPrivs": 1}
"""Non-root, no capabilities, the runtime's seccomp filter, nothing written to its root file system."""


def install(node: Node, directory: Path) -> None:
    """By kustomize, with the image of this run in place of the published one; returns when both controllers are ready."""
    name, _, tag = image(node).rpartition(":")
    published = _published(REPOSITORY / "install" / "controller" / "controller.yaml")
    base = os.path.relpath(REPOSITORY / "install", directory.resolve())
    images = [{"name": published.rsplit(":", 1)[0], "newName": name, "newTag": tag}]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [base], "images": images}))
    node.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(directory))
    ready(node)


def uninstall(node: Node) -> None:
    """Remove all but definitions and namespace; returns when no pod of it is there."""
    node.kubectl("delete", "-k", str(REPOSITORY / "install" / "controller"))
    ended(node)


def image(node: Node) -> str:
    """The name of this run's image, which the node has then."""
    return imported(node, RELEASED, "localhost/serinus-released") if RELEASED else CONTROLLER


def imported(node: Node, archive: Path, name: str) -> str:
    """The name of the image in an archive of `make image`, which the node has then: `name` with the image's own tag."""
    node.import_images(archive, name)
    with tarfile.open(archive) as files:
        index = files.extractfile("index.json")
        assert index is not None
        (manifest,) = json.loads(index.read())["manifests"]
    return f"{name}:{manifest['annotations']['org.opencontainers.image.ref.name']}"


def ready(node: Node) -> None:
    """Wait until the Deployment has the pods of its newest template alone, and all are ready."""
    node.kubectl("rollout", "status", f"deployment/{NAME}", "-n", HOME, "--timeout=120s")


def ended(node: Node) -> None:
    """Wait until no pod of the controller is there."""
    eventually(lambda: not controllers(node), 60)


def leader(node: Node) -> str:
    """The pod of the controller that leads; empty while none does."""
    path = "jsonpath={.spec.holderIdentity}"
    holder = node.kubectl("get", "lease", LEASE, "-n", HOME, "-o", path, check=False)
    return next((name for name in controllers(node) if name in holder), "")


def controllers(node: Node) -> list[str]:
    """The names of the controller's pods."""
    path = "jsonpath={.items[*].metadata.name}"
    return node.kubectl("get", "pods", "-n", HOME, "-l", CONTROLLERS, "-o", path).split()


def rights(node: Node, pod: str) -> dict[str, int | bool]:
    """What a controller's container may do, as it sees it itself."""
    return json.loads(node.kubectl("exec", "-n", HOME, pod, "--", PYTHON, "-c", INSIDE))


def _published(manifest: Path) -> str:
    objects = yaml.safe_load_all(manifest.read_text())
    deployment = next(found for found in objects if found["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]
