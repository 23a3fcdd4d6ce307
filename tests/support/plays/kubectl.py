"""The few commands of kubectl that plays use, with kubectl's words, on a client of the API.

No process can run in virtual time: this replaces kubectl there. The live plays use the real one.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

from serinus.analysis.providers.http.jsonpath import JsonPathError, find
from serinus.api.resources import ANALYSIS_TEMPLATES, BY_KIND, DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, Resource
from serinus.kube.client import Client
from serinus.kube.errors import ApiError, NotFound
from serinus.kube.transport import STRATEGIC_PATCH

Json = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Kubectl:
    def __init__(self, client: Client, namespace: str, kinds: Sequence[Resource] = ()) -> None:
        """`kinds`: those of routers."""
        self._client, self._namespace = client, namespace
        self._kinds = BY_KIND | {kind.kind: kind for kind in kinds}

    async def apply(self, manifests: list[Json]) -> str:
        """Client-side apply: a patch of the changes since the last apply. A refusal is printed."""
        return "".join([await self._tried(m) for m in manifests])

    async def _tried(self, manifest: Json) -> str:
        try:
            return f"{await self._apply(manifest)}\n"
        except ApiError as error:
            return f"Error from server ({error.reason}): {error.message}\n"

    async def _apply(self, manifest: Json) -> str:
        new, resource = copy.deepcopy(manifest), self._of(manifest)
        new["metadata"].setdefault("annotations", {})[LAST_APPLIED] = json.dumps(manifest) + "\n"
        shown = _shown(resource, name := str(manifest["metadata"]["name"]))
        try:
            live: Json = await self._client.get(resource, name, self._namespace)
        except NotFound:
            await self._client.create(resource, new, self._namespace)
            return f"{shown} created"
        last = json.loads((live["metadata"].get("annotations") or {}).get(LAST_APPLIED) or "{}")
        patch = three_way(last, live, new)
        if patch:
            await self._client.patch(resource, name, patch, self._namespace)
        # Of a custom resource kubectl sends its lists again, and prints that, even when nothing changed.
        return f"{shown} {'configured' if patch or resource is ROLLOUTS else 'unchanged'}"

    def _of(self, manifest: Json) -> Resource:
        """The manifest's kind, in its own version."""
        known, version = self._kinds[manifest["kind"]], str(manifest["apiVersion"]).rpartition("/")[2]
        if known.kind in BY_KIND:
            return known
        return Resource(known.group, version, known.plural, known.kind, singular=known.singular)

    async def patch(self, target: str, body: Json) -> str:
        """A merge patch of `Kind/name` or `Kind.group/name`."""
        kind, _, name = target.partition("/")
        resource = self._kinds[kind.partition(".")[0]]
        try:
            before: Json = await self._client.get(resource, name, self._namespace)
            after: Json = await self._client.patch(resource, name, body, self._namespace)
        except ApiError as error:
            return f"Error from server ({error.reason}): {error.message}\n"
        same = before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
        return f"{_shown(resource, name)} patched{' (no change)' if same else ''}\n"

    async def run(self, line: str) -> str:
        """One of the command lines of the plays; NotImplementedError for any other."""
        match line.split():
            case ["delete", "rollout", name]:
                await self._client.delete(ROLLOUTS, name, self._namespace)
                return f'rollout.argoproj.io "{name}" deleted from {self._namespace} namespace\n'
            case ["get", "rs", "-o", "name"]:
                found = (await self._client.list(REPLICA_SETS, self._namespace)).items
                return "".join(f"replicaset.apps/{rs['metadata']['name']}\n" for rs in found)
            case ["scale", "rollout", name, "--replicas", count]:
                scale = {"spec": {"replicas": int(count)}}
                await self._client.patch(ROLLOUTS, name, scale, self._namespace, subresource="scale")
                return f"rollout.argoproj.io/{name} scaled\n"
            case ["set", "image", target, assignment]:
                container, _, image = assignment.partition("=")
                patch = {"spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}}
                name = target.removeprefix("deployment/")
                await self._client.patch(DEPLOYMENTS, name, patch, self._namespace, content_type=STRATEGIC_PATCH)
                return f"{_shown(DEPLOYMENTS, name)} image updated\n"
            case ["set", "image", "rs", "--all", assignment]:
                container, _, image = assignment.partition("=")
                patch = {"spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}}
                for rs in (await self._client.list(REPLICA_SETS, self._namespace)).items:
                    name = rs["metadata"]["name"]
                    await self._client.patch(REPLICA_SETS, name, patch, self._namespace, content_type=STRATEGIC_PATCH)
                return "replicaset.apps image updated\n"
            case ["delete", "analysistemplate", name]:
                await self._client.delete(ANALYSIS_TEMPLATES, name, self._namespace)
                return f'analysistemplate.argoproj.io "{name}" deleted from {self._namespace} namespace\n'
            case ["delete", kind, name] if (routed := self._routed(kind)) is not None:
                await self._client.delete(routed, name, self._namespace)
                return f'{routed.singular}.{routed.group} "{name}" deleted from {self._namespace} namespace\n'
            case _:
                raise NotImplementedError(
                    f"kubectl {line}: no play used it so far; add it to tests/support/plays/kubectl.py"
                )

    def _routed(self, word: str) -> Resource | None:
        """The router's kind that a command line names: `trafficsplit`, `virtualservice.networking.istio.io`."""
        own = [kind for kind in self._kinds.values() if kind.kind not in BY_KIND]
        return next((k for k in own if word in (k.singular, k.plural, f"{k.singular}.{k.group}")), None)

    async def get(self, arguments: list[str]) -> str:
        """`kubectl get KIND [NAME] [-l LABEL=VALUE,…] [--field-selector reason=REASON] -o jsonpath=…`."""
        words, options = list[str](), dict[str, str]()
        rest = iter(arguments)
        for word in rest:
            if word in ("-l", "-o", "--field-selector"):
                options[word] = next(rest)
            else:
                words.append(word)
        resource = _resource(words[0])
        if len(words) > 1:
            try:
                found: Json = await self._client.get(resource, words[1], self._namespace)
            except NotFound as error:
                return f"Error from server (NotFound): {error.message}"
        else:
            objects: list[Json] = (await self._client.list(resource, self._namespace)).items
            wanted = dict(part.split("=") for part in options.get("-l", "").split(",") if part)
            reason = options.get("--field-selector", "").removeprefix("reason=")
            objects = [o for o in objects if wanted.items() <= (o["metadata"].get("labels") or {}).items()]
            found = {"items": [o for o in objects if not reason or o.get("reason") == reason]}
        return _by_path(options["-o"].removeprefix("jsonpath="), found)


def _resource(word: str) -> Resource:
    return next(r for r in BY_KIND.values() if word in (r.plural, r.singular, *r.short_names))


def _by_path(template: str, data: Json) -> str:
    """As kubectl prints a JSONPath template: a path without a value prints nothing."""
    printed = ""
    for text, path in re.findall(r"([^{]*)(\{[^}]*\})?", template):
        printed += text
        try:
            matches = find(path, data) if path else []
        except JsonPathError:
            matches = []
        printed += " ".join(m if isinstance(m, str) else json.dumps(m) for m in matches)
    return printed


def three_way(last: Json, live: Json, new: Json) -> Json:
    """The merge patch that turns `live` into `new`, and removes fields that only `last` had. Lists are replaced whole."""
    patch: Json = {key: None for key in last if key not in new and key in live}
    for key, value in new.items():
        have = live.get(key)
        if isinstance(value, dict) and isinstance(have, dict):
            before = last.get(key)
            part = three_way(before if isinstance(before, dict) else {}, have, value)
            if part:
                patch[key] = part
        elif not _said_by(value, have):
            patch[key] = value
    return patch


def _said_by(value: Any, live: Any) -> bool:
    """Whether `live` is `value` but for defaults that the server added."""
    if isinstance(value, dict):
        return isinstance(live, dict) and all(_said_by(v, live.get(k)) for k, v in value.items())
    if isinstance(value, list):
        same = isinstance(live, list) and len(value) == len(live)
        return same and all(_said_by(a, b) for a, b in zip(value, live, strict=True))
    return value == live


def _shown(resource: Resource, name: str) -> str:
    group = f".{resource.group}" if resource.group else ""
    return f"{resource.singular}{group}/{name}"
