"""Runs all workload controllers."""

from __future__ import annotations

import asyncio
from random import Random

from serinus.kube.client import Client
from serinus.kube.clock import Clock
from serinus.local.workloads.caches import Caches
from serinus.local.workloads.deployment import Deployments
from serinus.local.workloads.endpoints import EndpointsController
from serinus.local.workloads.gc import GarbageCollector
from serinus.local.workloads.job import Jobs
from serinus.local.workloads.namespaces import Namespaces
from serinus.local.workloads.replicaset import ReplicaSets


async def run_workloads(
    client: Client, clock: Clock, rng: Random, *, garbage: bool = True, namespaces: bool = True
) -> None:
    """Runs until cancelled. Switch off garbage collection and namespaces if the API server has its own."""
    caches = Caches(client, clock)
    parts = [part(client, caches, clock, rng) for part in (ReplicaSets, EndpointsController, Deployments, Jobs)]
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part.run())
        if garbage:
            group.create_task(GarbageCollector(client, clock, rng).run())
        if namespaces:
            spaces = Namespaces(client, clock, rng)
            group.create_task(spaces.run())
            for informer in spaces.informers:
                group.create_task(informer.run())
        for informer in caches.all:
            group.create_task(informer.run())
