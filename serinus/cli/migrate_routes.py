"""`serinus migrate-routes`: HTTPRoutes in place of Ingresses with nginx's canary annotations."""

from __future__ import annotations

from typing import Any

import click

from serinus.api.visible import visible
from serinus.cli.problems import Problem

Json = dict[str, Any]
KINDS = ("Rollout", "Ingress", "Service")


@click.command("migrate-routes", short_help="Print HTTPRoutes in place of canary Ingresses.")
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Manifests; - is standard input.",
)
@click.option(
    "--gateway",
    required=True,
    metavar="[NAMESPACE/]NAME",
    help="The Gateway that is the parent of the HTTPRoutes.",
)
def command(filenames: tuple[str, ...], gateway: str) -> None:
    """Print HTTPRoutes in place of Ingresses with nginx's canary annotations, and the Rollouts that lead them.

    \b
    kubectl get rollouts,ingresses,services -o yaml | serinus migrate-routes --gateway infra/web -f - > routes.yaml

    Of the given objects, it takes the Ingresses that a Rollout's nginx router names, and pairs of an Ingress and its
    canary Ingress. Nothing is changed on the cluster. Standard error lists what the HTTPRoutes do not do.
    """
    from serinus.api.go_yaml_dump import dump_all
    from serinus.cli.manifests import complaints, manifests
    from serinus.routing.ingress_routes import migrated

    objects: list[Json] = []
    for filename in filenames:
        for manifest in manifests(filename):
            obj = manifest.obj
            if obj["kind"] not in KINDS:
                continue
            name = (obj.get("metadata") or {}).get("name")
            wrong = complaints(obj) or ([] if isinstance(name, str) and name else ["metadata.name: Required value"])
            if wrong:
                raise Problem(f"{filename}: {obj['kind']} {name or ''}: {wrong[0]}")
            objects.append(obj)
    found = migrated(objects, gateway)
    for line in found.lost:
        click.echo(visible(line), err=True)
    if not found.objects:
        raise Problem("there is no Ingress to migrate", "Give the Rollouts together with the Ingresses that they name.")
    click.echo(dump_all(list(found.objects)), nl=False)
