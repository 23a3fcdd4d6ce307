"""Assembles the dashboard of a team and runs it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random

import aiohttp

from serinus.dashboard.commands import AGENT
from serinus.dashboard.identity.as_user import anonymous
from serinus.dashboard.process import AT_ONCE, served, stop_signal
from serinus.dashboard.server import Server
from serinus.dashboard.service import Service
from serinus.dashboard.settings import Settings
from serinus.dashboard.team.bearer import Bearers
from serinus.dashboard.team.gate import TeamGate
from serinus.dashboard.team.oidc.provider import Provider
from serinus.dashboard.team.oidc.way import OidcWay, redirect_address
from serinus.dashboard.team.secrets import Sealer
from serinus.dashboard.team.sessions import Sessions
from serinus.dashboard.team.settings import TeamSettings
from serinus.dashboard.team.sign_in import SignIn
from serinus.dashboard.team.users import Users
from serinus.kube.client import Client
from serinus.kube.clock import Clock, SystemClock
from serinus.kube.configuration.config import Connection
from serinus.kube.http.https import HttpsHandler
from serinus.kube.transport import Handler


async def run_team(
    connection: Connection, settings: TeamSettings, listening: socket.socket, ready: Callable[[Server], None]
) -> None:
    """Runs until SIGINT or SIGTERM. `ready` is called once it answers."""
    stop, clock = stop_signal(), SystemClock()
    own = HttpsHandler(connection, at_once=AT_ONCE)
    nobody = HttpsHandler(anonymous(connection), at_once=AT_ONCE)
    service = Service(Client(own, user_agent=AGENT), clock, Random(), home=connection.namespace, for_team=True)
    try:
        async with aiohttp.ClientSession(trust_env=True) as http:
            gate = team_gate(settings, service, nobody, own, clock, http)
            async with served(service, Settings(token="", root_path=settings.root), listening, gate) as server:
                ready(server)
                await stop.wait()
    finally:
        await own.close()
        await nobody.close()


def team_gate(
    settings: TeamSettings, service: Service, nobody: Handler, own: Handler, clock: Clock, http: aiohttp.ClientSession
) -> TeamGate:
    """`nobody`: requests to the API server without a credential; `own`: with the dashboard's. `http`: for the provider."""
    bearers = Bearers(nobody, clock)
    sessions = Sessions(Sealer(settings.keys, "session"), clock, settings.root, settings.session_seconds)
    oidc = None
    if settings.oidc is not None:
        provider = Provider(settings.oidc, redirect_address(settings.url), http, clock)
        oidc = OidcWay(settings.oidc, provider, Sealer(settings.keys, "sign-in"), clock, settings.url)
    sign_in = SignIn(settings, bearers, sessions, oidc, clock)
    return TeamGate(settings, bearers, Users(nobody, own, clock, service.hub.changed), sessions, sign_in, clock)
