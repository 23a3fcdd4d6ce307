"""`serinus migrate-routes`: HTTPRoutes in place of Ingresses with nginx's canary annotations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from serinus.api.messages.counted import counted
from serinus.api.messages.visible import visible
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import Problem
from serinus.cli.framework.flags import Flag

SHORT = "Print HTTPRoutes in place of canary Ingresses"

Json = dict[str, Any]
KINDS = ("Rollout", "Ingress", "Service")


def run(call: Call) -> int:
    from serinus.routing.ingress_routes import migrated

    gateway, check = call.text("gateway"), call.texts("check")
    if not gateway and not check:
        raise call.usage_problem("missing flag: migrate-routes needs --gateway")
    migration = migrated(_objects(call.texts("filename")), gateway or "gateway")
    if not migration.objects:
        raise Problem("there is no Ingress to migrate", "Give the Rollouts together with the Ingresses that they name.")
    if check:
        before, after = check
        _check([each for each in migration.objects if each["kind"] == "HTTPRoute"], before, after)
        return 0
    from serinus.api.yaml.writer import dump_all

    for line in migration.lost:
        sys.stderr.write(f"{visible(line)}\n")
    sys.stdout.write(dump_all(list(migration.objects)))
    return 0


def _objects(filenames: Sequence[str]) -> list[Json]:
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
        print(visible(line))
    if differences:
        raise Problem(f"{len(differences)} of {counted(count, 'kind')} of requests are answered differently")
    print(f"{counted(count, 'kind')} of requests, {TIMES} of each: both answer alike.")


COMMAND = Command(
    run,
    "Print HTTPRoutes in place of Ingresses with nginx's canary annotations, and the Rollouts that lead them.\n\n"
    "Of the given objects, it takes the Ingresses that a Rollout's nginx router names, and pairs of an Ingress and its\n"
    "canary Ingress. Nothing is changed on the cluster. Standard error lists what the HTTPRoutes do not do.\n\n"
    "With --check, it sends GET requests to both URLs, 30 of each kind: for each host and path, below and beside the path,\n"
    "and with the header of a canary. A difference ends it with code 1.",
    "",
    (
        "kubectl get rollouts,ingresses,services -o yaml | serinus migrate-routes --gateway infra/web -f - > routes.yaml",
    ),
    flags=(
        Flag("filename", "Manifests; - is standard input", short="f", default=(), metavar="FILE", required=True),
        Flag("gateway", "The Gateway that is the parent of the HTTPRoutes", metavar="[NAMESPACE/]NAME"),
        Flag(
            "check",
            "Print nothing to apply; ask both URLs for the hosts and paths of the Ingresses, and list the differences",
            default=(),
            metavar="INGRESS_URL GATEWAY_URL",
            takes=2,
        ),
    ),
)
