"""install/ matches the code, and real kubectl renders it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.cli import install, upgrade
from serinus.cli.controller_options import CONNECTION
from serinus.cli.framework.commandline import Command
from serinus.install.dashboard import Dashboard, dashboard
from serinus.install.installation import NAME, default_image, installation
from serinus.routing.registry import permissions

REPOSITORY = Path(__file__).parents[2]
INSTALL = REPOSITORY / "install"
KUBECTL = Path(sys.executable).with_name("kubectl")


def test_what_was_generated_is_not_out_of_date(tmp_path: Path):
    tool = REPOSITORY / "tools" / "write_install.py"
    subprocess.run([sys.executable, str(tool), str(tmp_path)], check=True, timeout=60)
    made = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.yaml")}
    old = [str(name) for name, text in made.items() if (INSTALL / name).read_text() != text]
    assert (old, len(made)) == ([], 11), "run: python tools/write_install.py"


def rendered(folder: str) -> dict[str, Any]:
    """The objects that kubectl builds from a kustomization, by kind and name."""
    command = [str(KUBECTL), "kustomize", str(INSTALL / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return by_name(list(yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))))


@pytest.mark.parametrize("command", [install.COMMAND, upgrade.COMMAND])
def test_each_flag_is_in_the_documentation(command: Command):
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    connection = {flag.name for flag in CONNECTION} - {"namespace"}
    flags = [f"--{flag.name}" for flag in command.flags if flag.name not in connection]
    flags += [f"-{flag.short}" for flag in command.flags if flag.short and flag.name not in connection]
    assert [flag for flag in flags if f"`{flag}" not in page and f", `{flag}" not in page] == []


def by_name(objects: list[Any]) -> dict[str, Any]:
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}


@pytest.mark.parametrize(
    ("folder", "namespaced", "without"),
    [
        (".", False, ()),
        ("controller", False, ("CustomResourceDefinition", "Namespace")),
        ("namespaced", True, ("CustomResourceDefinition", "Namespace")),
    ],
)
def test_kustomize_renders_what_serinus_install_prints(folder: str, namespaced: bool, without: tuple[str, ...]):
    objects = installation(NAME, default_image(), namespaced=namespaced, routing=permissions())
    assert rendered(folder) == by_name([o for o in objects if o["kind"] not in without])


def test_the_dashboard_is_a_component_of_a_kustomization(tmp_path: Path):
    base, one, two = (
        os.path.relpath(INSTALL / name, tmp_path) for name in ("controller", "dashboard", "dashboard/impersonation")
    )
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{one}, {two}]\n")
    command = [str(KUBECTL), "kustomize", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    acting = dashboard(NAME, default_image(), Dashboard(impersonate=True))
    expected = by_name(dashboard(NAME, default_image(), Dashboard()))
    expected |= {name: o for name, o in by_name(acting).items() if name.endswith("-impersonation")}
    assert len(expected) == 8
    assert {
        name: o for name, o in by_name(list(yaml.safe_load_all(done.stdout))).items() if name in expected
    } == expected


def test_another_namespace_is_one_line_of_a_kustomization(tmp_path: Path):
    """The binding follows: its subject is the account of that namespace."""
    link = tmp_path / "base"
    link.mkdir()
    for file in (INSTALL / "namespaced").iterdir():
        (link / file.name).write_text(file.read_text())
    (tmp_path / "kustomization.yaml").write_text("resources: [base]\nnamespace: shop\n")
    command = [str(KUBECTL), "kustomize", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = by_name(list(yaml.safe_load_all(done.stdout)))
    assert found["RoleBinding/argo-rollouts"]["subjects"][0]["namespace"] == "shop"
    assert found["Deployment/argo-rollouts"]["metadata"]["namespace"] == "shop"
