"""Writes serinus/local/apiserver/requests/protobuf_fields.json: the fields of the built-in kinds in Kubernetes' protobuf encoding.

    python tools/distil_protobuf.py GO_MODULE_CACHE/k8s.io VERSION      (VERSION such as v0.34.4)

Source: the struct tags of k8s.io/api and k8s.io/apimachinery, which carry field numbers, JSON names and the fields left out
when empty. The table: message -> field number -> [JSON name ("" for inlined), type, 1 if an empty value is left out];
types are s(tring) b(ool) i(nt) d(ouble) y (bytes), T(ime), M(icroTime), D(uration), Q(uantity), I(ntOrString),
R(aw JSON), F(ieldsV1), or a message's name, with "[]" or "{}" before it for lists and maps from text.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

PACKAGES = {
    "core": "api/core/v1", "apps": "api/apps/v1", "batch": "api/batch/v1", "discovery": "api/discovery/v1",
    "networking": "api/networking/v1", "coordination": "api/coordination/v1", "policy": "api/policy/v1",
    "autoscaling": "api/autoscaling/v2", "autoscaling1": "api/autoscaling/v1", "authorization": "api/authorization/v1",
    "authentication": "api/authentication/v1", "rbac": "api/rbac/v1", "scheduling": "api/scheduling/v1",
    "storage": "api/storage/v1", "node": "api/node/v1", "admissionregistration": "api/admissionregistration/v1",
    "meta": "apimachinery/pkg/apis/meta/v1",
}  # fmt: skip
ALIASES = {"v1": "core", "corev1": "core", "apiv1": "core", "metav1": "meta"}
ROOTS = {
    "core": "Namespace Node Pod PodTemplate Service Endpoints ConfigMap Secret ServiceAccount Event Binding LimitRange "
    "ResourceQuota PersistentVolumeClaim PersistentVolume ReplicationController",
    "apps": "Deployment ReplicaSet StatefulSet DaemonSet", "batch": "Job CronJob", "discovery": "EndpointSlice",
    "networking": "Ingress IngressClass NetworkPolicy",
    "coordination": "Lease", "policy": "PodDisruptionBudget Eviction", "autoscaling": "HorizontalPodAutoscaler",
    "autoscaling1": "Scale HorizontalPodAutoscaler",
    "authorization": "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview LocalSubjectAccessReview",
    "authentication": "TokenReview SelfSubjectReview", "rbac": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "scheduling": "PriorityClass", "storage": "StorageClass", "node": "RuntimeClass",
    "admissionregistration": "ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy "
    "ValidatingAdmissionPolicyBinding", "meta": "DeleteOptions",
}  # fmt: skip
SPECIAL = {
    "meta.Time": "T", "meta.MicroTime": "M", "meta.Duration": "D", "resource.Quantity": "Q", "intstr.IntOrString": "I",
    "runtime.RawExtension": "R", "meta.FieldsV1": "F", "types.UID": "s", "types.NodeName": "s",
}  # fmt: skip
SCALARS = {
    "string": "s",
    "bool": "b",
    "int": "i",
    "int32": "i",
    "int64": "i",
    "uint8": "i",
    "uint32": "i",
    "float64": "d",
    "[]byte": "y",
}
FIELD = re.compile(r"^\t(?:(\w+)\s+)?(\S+)\s+`([^`]*)`")


def main(cache: Path, version: str) -> None:
    structs: dict[str, list[tuple[str, str, bool]]] = {}
    aliases: dict[str, str] = {}
    for name, folder in PACKAGES.items():
        head, _, rest = folder.partition("/")
        for file in (cache / f"{head}@{version}" / rest).glob("*.go"):
            if not file.name.endswith("_test.go") and not file.name.startswith("zz_"):
                read(name, file.read_text(), structs, aliases)
    table: dict[str, dict[str, list[object]]] = {}
    todo = [f"{package}.{kind}" for package, kinds in ROOTS.items() for kind in kinds.split()]
    while todo:
        message = todo.pop()
        if message in table:
            continue
        rows = table[message] = {}
        for type_, tags, pointer in structs[message]:
            row = field(message.split(".")[0], type_, tags, pointer, aliases)
            if row is not None:
                number, name, kind, vanishes = row
                rows[number] = [name, kind, vanishes]
                inner = re.sub(r"^(\[\]|\{\})+", "", kind)
                if "." in inner:
                    todo.append(inner)
    target = Path(__file__).parent.parent / "serinus/local/apiserver/requests/protobuf_fields.json"
    lines = (f"{json.dumps(name)}: {json.dumps(table[name], separators=(',', ':'))}" for name in sorted(table))
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read(package: str, text: str, structs: dict[str, list[tuple[str, str, bool]]], aliases: dict[str, str]) -> None:
    for name, type_ in re.findall(r"^type (\w+) ([^\s{=][^\n{]*)$", text, re.M):
        if type_ not in ("struct", "interface"):
            aliases[f"{package}.{name}"] = type_.split(" //")[0].strip()
    for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S):
        rows: list[tuple[str, str, bool]] = []
        for line in body.splitlines():
            found = FIELD.match(line)
            if found and "protobuf:" in found[3]:
                rows.append((found[2].lstrip("*"), found[3], found[2].startswith("*")))
        structs[f"{package}.{name}"] = rows


def field(
    package: str, type_: str, tags: str, pointer: bool, aliases: dict[str, str]
) -> tuple[str, str, str, int] | None:
    names = dict(re.findall(r'(\w+):"([^"]*)"', tags))
    number = names["protobuf"].split(",")[1]
    if not number.isdigit():
        return None
    name, *options = names.get("json", "").split(",")
    return number, name, resolve(package, type_, aliases), int("omitempty" in options and not pointer)


def resolve(package: str, type_: str, aliases: dict[str, str]) -> str:
    type_ = type_.lstrip("*")
    if type_ in SCALARS:
        return SCALARS[type_]
    if type_.startswith("[]"):
        return "[]" + resolve(package, type_[2:], aliases)
    if found := re.match(r"map\[[\w.]+\](.*)", type_):
        return "{}" + resolve(package, found[1], aliases)
    prefix, _, name = type_.rpartition(".")
    owner = ALIASES.get(prefix, prefix) if prefix else package
    full = f"{owner}.{name}"
    if full in SPECIAL:
        return SPECIAL[full]
    return resolve(owner, aliases[full], aliases) if full in aliases else full


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
