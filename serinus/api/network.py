"""Services and Ingresses."""

from __future__ import annotations

import msgspec

from serinus.api.meta import Json, ObjectMeta


class ServiceSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    selector: dict[str, str] = {}


class Service(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: ObjectMeta
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class IngressSpec(msgspec.Struct, rename="camel", omit_defaults=True):
    """`rules` and `tls` stay as they are: routers copy them."""

    ingress_class_name: str | None = None
    default_backend: Json | None = None
    rules: list[Json] = []
    tls: list[Json] = []


class Ingress(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: ObjectMeta
    spec: IngressSpec = msgspec.field(default_factory=IngressSpec)
