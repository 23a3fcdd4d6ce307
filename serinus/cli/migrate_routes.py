"""`serinus migrate-routes`: HTTPRoutes in place of Ingresses with nginx's canary annotations."""

from __future__ import annotations

from typing import Any

import click

from serinus.api.messages.visible import visible
from serinus.cli.framework.errors import Problem

SHORT = "Print HTTPRoutes in place of canary Ingresses"

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
@click.option("--gateway", metavar="[NAMESPACE/]NAME", help="The Gateway that is the parent of the HTTPRoutes.")
@click.option(
    "--check",
    nargs=2,
    metavar="INGRESS_URL GATEWAY_URL",
    help="Print nothing to apply; ask both URLs for the hosts and paths of the Ingresses, and list the differences.",
)
def command(filenames: tuple[str, ...], gateway: str | None, check: tuple[str, str] | None) -> None:
    """Print HTTPRoutes in place of Ingresses with nginx's canary annotations, and the Rollouts that lead them.

    \b
    kubectl get rollouts,ingresses,services -o yaml | serinus migrate-routes --gateway infra/web -f - > routes.yaml

    Of the given objects, it takes the Ingresses that a Rollout's nginx router names, and pairs of an Ingress and its
    canary Ingress. Nothing is changed on the cluster. Standard error lists what the HTTPRoutes do not do.

    With --check, it sends GET requests to both URLs, 30 of each kind: for each host and path, below and beside the path, and with
    the header of a canary. A difference ends it with code 1.
    """
    from serinus.routing.ingress_routes import migrated

    if not gateway and not check:
        raise click.UsageError("Missing option '--gateway'.")
    found = migrated(_objects(filenames), gateway or "gateway")
    if not found.objects:
        raise Problem("there is no Ingress to migrate", "Give the Rollouts together with the Ingresses that they name.")
    if check:
        _check([each for each in found.objects if each["kind"] == "HTTPRoute"], *check)
        return
    from serinus.api.yaml.writer import dump_all

    for line in found.lost:
        click.echo(visible(line), err=True)
    click.echo(dump_all(list(found.objects)), nl=False)


def _objects(filenames: tuple[str, ...]) -> list[Json]:
    """The Rollouts, Ingresses and Services of these files. Problem for an object that the API server would refuse."""
    from serinus.cli.manifests import complaints, manifests

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
    return objects


def _check(routes: list[Json], before: str, after: str) -> None:
    from serinus.cli.route_check import TIMES, check

    count, differences = check(routes, before, after)
    for line in differences:
        click.echo(visible(line))
    if differences:
        raise Problem(f"{len(differences)} of {count} kinds of requests are answered differently")
    click.echo(f"{count} kinds of requests, {TIMES} of each: both answer alike.")
