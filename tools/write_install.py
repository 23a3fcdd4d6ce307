"""Writes the generated part of install/ from serinus/install/installation.py: `python tools/write_install.py [DIR]`.

The kustomizations and the chart's templates are written by hand; tests/cli/test_install_files.py compares the rest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from serinus import __version__
from serinus.api.schema.crds import crds
from serinus.install.dashboard import RULES as DASHBOARD_RULES
from serinus.install.dashboard import Dashboard, dashboard
from serinus.install.installation import CLUSTER_RULES, HOME_RULES, NAME, RULES, default_image, installation, rules
from serinus.routing.registry import permissions

Json = dict[str, Any]
INSTALL = Path(__file__).parents[1] / "install"
NOTE = "# Made by `python tools/write_install.py`.\n"
CHART = "helm/serinus"


def files() -> dict[str, str]:
    """Path below install/ -> text."""
    made = {"crds/crds.yaml": _text(crds())}
    for name, namespaced in (("controller", False), ("namespaced", True)):
        objects = installation(NAME, default_image(), namespaced=namespaced, routing=permissions())
        own = [o for o in objects if o["kind"] not in ("CustomResourceDefinition", "Namespace")]
        made[f"{name}/controller.yaml"] = _text(own)
    own = dashboard(NAME, default_image(), Dashboard())
    made["dashboard/dashboard.yaml"] = _text(own)
    acting = dashboard(NAME, default_image(), Dashboard(impersonate=True))
    roles = [o for o in acting if o["metadata"]["name"].endswith("-impersonation")]
    made["dashboard/impersonation/impersonation.yaml"] = _text(roles)
    (namespace,) = [o for o in installation(NAME, "") if o["kind"] == "Namespace"]
    made["namespace.yaml"] = _text([namespace])
    made[f"{CHART}/rules.yaml"] = _text([rules((*RULES, *permissions()))])
    made[f"{CHART}/dashboard-rules.yaml"] = _text([rules(DASHBOARD_RULES)])
    made[f"{CHART}/cluster-rules.yaml"] = _text([rules(CLUSTER_RULES)])
    made[f"{CHART}/own-namespace-rules.yaml"] = _text([rules(HOME_RULES)])
    chart = {
        "apiVersion": "v2",
        "name": "serinus",
        "description": "Progressive delivery on Kubernetes, in place of Argo Rollouts.",
        "type": "application",
        "version": __version__,
        "appVersion": __version__,
    }
    made[f"{CHART}/Chart.yaml"] = _text([chart])
    return made


def _text(documents: list[Any]) -> str:
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return NOTE + yaml.dump_all(documents, Dumper=dumper, sort_keys=False)


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else INSTALL
    for name, text in files().items():
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
