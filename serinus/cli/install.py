"""`serinus install`: prints the manifests of an installation, for `kubectl apply`."""

from __future__ import annotations

import click

SHORT = "Print what a cluster needs to run Serinus"


@click.command("install")
@click.option("-n", "--namespace", default="argo-rollouts", show_default=True, help="Namespace of the controller.")
@click.option("--image", default="", help="Image of the controller; the one of this version otherwise.")
@click.option(
    "--namespaced", is_flag=True, help="Only Rollouts of this namespace, with a Role instead of a ClusterRole."
)
@click.option(
    "--replicas", default=2, show_default=True, type=click.IntRange(1), help="Controllers; one of them leads."
)
@click.option(
    "--instance-id",
    default="",
    metavar="ID",
    help="Only Rollouts with this label argo-rollouts.argoproj.io/controller-instance-id.",
)
@click.option("--service-monitor", is_flag=True, help="With a ServiceMonitor of the Prometheus operator.")
@click.option("--crds/--no-crds", default=True, show_default=True, help="With the CustomResourceDefinitions.")
@click.option("--only-crds", is_flag=True, help="Nothing but the CustomResourceDefinitions.")
def command(
    namespace: str,
    image: str,
    namespaced: bool,
    replicas: int,
    instance_id: str,
    service_monitor: bool,
    crds: bool,
    only_crds: bool,
) -> None:
    """Print everything that a cluster needs to run Serinus in place of Argo Rollouts.

    \b
    serinus install | kubectl apply --server-side --force-conflicts -f -

    Running Rollouts, ReplicaSets and pods are taken over as they are: nothing is restarted. To remove it, delete all but
    the definitions: serinus install --no-crds | kubectl delete -f -; workloads continue to serve.
    """
    from serinus.api.yaml.writer import dump_all
    from serinus.install.installation import default_image, installation
    from serinus.routing.registry import permissions

    objects = installation(
        namespace,
        image or default_image(),
        namespaced=namespaced,
        replicas=replicas,
        monitor=service_monitor,
        instance_id=instance_id,
        routing=permissions(),
    )
    if only_crds or not crds:
        objects = [o for o in objects if (o["kind"] == "CustomResourceDefinition") == only_crds]
    if not crds and not only_crds:
        # Deleting the printed objects must not delete the namespace's other objects.
        objects = [o for o in objects if o["kind"] != "Namespace"]
    click.echo(dump_all(objects), nl=False)
