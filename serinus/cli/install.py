"""`serinus install`: prints the manifests of an installation, for `kubectl apply`."""

from __future__ import annotations

import sys
from typing import Any

from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag, whole

Json = dict[str, Any]

SHORT = "Print what a cluster needs to run Serinus"


def run(call: Call) -> int:
    from serinus.api.yaml.writer import dump_all
    from serinus.install.installation import default_image, installation
    from serinus.routing.registry import permissions

    objects = installation(
        call.text("namespace"),
        call.text("image") or default_image(),
        namespaced=call.truth("namespaced"),
        replicas=call.number("replicas"),
        monitor=call.truth("service-monitor"),
        instance_id=call.text("instance-id"),
        routing=permissions(),
    )
    if call.truth("dashboard"):
        objects += _dashboard(call)
    only_crds, crds = call.truth("only-crds"), call.truth("crds") and not call.truth("no-crds")
    if only_crds or not crds:
        objects = [o for o in objects if (o["kind"] == "CustomResourceDefinition") == only_crds]
    if not crds and not only_crds:
        # Deleting the printed objects must not delete the namespace's other objects.
        objects = [o for o in objects if o["kind"] != "Namespace"]
    sys.stdout.write(dump_all(objects))
    return 0


def _dashboard(call: Call) -> list[Json]:
    """The objects of the dashboard. Raises Problem for flags that do not fit together."""
    from serinus.install.dashboard import Dashboard, dashboard
    from serinus.install.installation import default_image

    flags = tuple(call.texts("dashboard-flag"))
    bad = [flag for flag in flags if not flag.startswith("--")]
    if bad:
        raise Problem(f"--dashboard-flag takes a flag of `serinus dashboard-server`, found {bad[0]!r}", code=USAGE)
    given = Dashboard(
        url=call.text("dashboard-url"),
        replicas=call.number("dashboard-replicas"),
        args=flags,
        impersonate=any(flag.startswith(("--oidc-issuer", "--proxy-address")) for flag in flags),
        groups=tuple(call.texts("dashboard-group")),
        ingress_class=call.text("dashboard-ingress-class"),
        gateway=call.text("dashboard-gateway"),
        tls_secret=call.text("dashboard-tls-secret"),
    )
    image = call.text("image") or default_image()
    return dashboard(call.text("namespace"), image, given, namespaced=call.truth("namespaced"))


COMMAND = Command(
    run,
    "Print everything that a cluster needs to run Serinus in place of Argo Rollouts.\n\n"
    "Running Rollouts, ReplicaSets and pods are taken over as they are: nothing is restarted. To remove it, delete all but\n"
    "the definitions: serinus install --no-crds | kubectl delete -f -; workloads continue to serve.",
    "",
    ("serinus install | kubectl apply --server-side --force-conflicts -f -",),
    flags=(
        Flag("namespace", "Namespace of the controller", short="n", default="argo-rollouts", metavar="NAME"),
        Flag("image", "Image of the controller; the one of this version otherwise", metavar="IMAGE"),
        Flag("namespaced", "Only Rollouts of this namespace, with a Role instead of a ClusterRole", default=False),
        Flag("replicas", "Controllers; one of them leads", default=2, parse=whole(1)),
        Flag(
            "instance-id",
            "Only Rollouts with this label argo-rollouts.argoproj.io/controller-instance-id",
            metavar="ID",
        ),
        Flag("service-monitor", "With a ServiceMonitor of the Prometheus operator", default=False),
        Flag("dashboard", "With the dashboard for a team", default=False),
        Flag(
            "dashboard-url",
            "Address that browsers use, with the path",
            default="http://localhost:3100/rollouts",
            metavar="URL",
        ),
        Flag("dashboard-replicas", "Replicas of the dashboard", default=1, parse=whole(1)),
        Flag(
            "dashboard-flag",
            "Flag of `serinus dashboard-server`, such as --oidc-issuer=URL; may be repeated",
            default=(),
            metavar="FLAG",
        ),
        Flag("dashboard-group", "The only group that it may impersonate; may be repeated", default=(), metavar="NAME"),
        Flag("dashboard-ingress-class", "With an Ingress of this class to the dashboard", metavar="CLASS"),
        Flag("dashboard-tls-secret", "Secret with the certificate of that Ingress", metavar="NAME"),
        Flag("dashboard-gateway", "With an HTTPRoute of this Gateway to the dashboard", metavar="NAMESPACE/NAME"),
        Flag("crds", "With the CustomResourceDefinitions", default=True),
        Flag("no-crds", "Without the CustomResourceDefinitions", default=False),
        Flag("only-crds", "Nothing but the CustomResourceDefinitions", default=False),
    ),
)
