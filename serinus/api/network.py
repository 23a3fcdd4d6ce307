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


class LoadBalancerIngress(msgspec.Struct, omit_defaults=True):
    hostname: str = ""


class LoadBalancerStatus(msgspec.Struct, omit_defaults=True):
    ingress: list[LoadBalancerIngress] = []


class IngressStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    load_balancer: LoadBalancerStatus = msgspec.field(default_factory=LoadBalancerStatus)


class Ingress(msgspec.Struct, rename="camel", omit_defaults=True):
    metadata: ObjectMeta
    spec: IngressSpec = msgspec.field(default_factory=IngressSpec)
    status: IngressStatus = msgspec.field(default_factory=IngressStatus)

    def hostnames(self) -> tuple[str, ...]:
        """Its load balancers, as far as known."""
        return tuple(each.hostname for each in self.status.load_balancer.ingress if each.hostname)
