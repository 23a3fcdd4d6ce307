"""`serinus dashboard-server`: the dashboard for a team, in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serinus.cli.controller_options import CONNECTION
from serinus.cli.framework.commandline import Call, Command
from serinus.cli.framework.errors import USAGE, Problem
from serinus.cli.framework.flags import Flag, whole

if TYPE_CHECKING:
    from serinus.dashboard.team.oidc.settings import OidcSettings
    from serinus.dashboard.team.proxy import TrustedProxy
    from serinus.dashboard.team.secrets import Secrets
    from serinus.dashboard.team.settings import TeamSettings

SHORT = "Serve the dashboard to a team, each user with his own rights"


def run(call: Call) -> int:
    import asyncio
    import sys

    from serinus.cli.cluster.session import connection_flags
    from serinus.dashboard.process import PortTaken, bound
    from serinus.dashboard.server import Server
    from serinus.dashboard.team.process import run_team
    from serinus.dashboard.team.secrets import BadSecret
    from serinus.dashboard.team.settings import BadSettings
    from serinus.kube.configuration.config import ConfigError, load

    try:
        settings = _settings(call)
        connection = load(connection_flags(call))
    except (BadSettings, BadSecret, ConfigError) as error:
        raise Problem(str(error), code=USAGE) from None
    if not connection.server.startswith("https://"):
        raise Problem(
            f"the API server must have an https:// address, found {connection.server}: tokens of users go there"
        )
    _log()

    def ready(server: Server) -> None:
        ways = [name for name, there in _ways(settings).items() if there]
        sys.stderr.write(f"dashboard for {settings.url} on port {server.port}; ways in: {', '.join(ways) or 'none'}\n")

    try:
        listening = bound(call.number("port"), call.text("address"))
    except PortTaken as error:
        raise Problem(str(error)) from None
    asyncio.run(run_team(connection, settings, listening, ready))
    return 0


def _ways(settings: TeamSettings) -> dict[str, bool]:
    return {"token": settings.token, "proxy": settings.proxy is not None, "oidc": settings.oidc is not None}


def _settings(call: Call) -> TeamSettings:
    """Raises BadSettings and BadSecret."""
    import sys

    from serinus.dashboard.process import new_token
    from serinus.dashboard.team.secrets import Secrets
    from serinus.dashboard.team.settings import BadSettings, TeamSettings, checked_url

    keys = _secrets(call, "cookie-key-file")
    if keys is None:
        sys.stderr.write("no --cookie-key-file: sessions end with this process, and only one replica can work\n")
        keys = Secrets(given=(new_token(),))
    minutes = call.number("session-minutes")
    if not 1 <= minutes <= 24 * 60:
        raise BadSettings(f"--session-minutes must be 1 to {24 * 60}, found {minutes}")
    return TeamSettings(
        url=checked_url(call.text("url")),
        keys=keys,
        token=call.truth("token-sign-in"),
        proxy=_proxy(call),
        oidc=_oidc(call),
        read_only=call.truth("read-only"),
        session_seconds=minutes * 60.0,
    )


def _secrets(call: Call, flag: str, *, shortest: int = 32) -> Secrets | None:
    from pathlib import Path

    from serinus.dashboard.team.secrets import Secrets

    return Secrets(Path(call.text(flag)), shortest=shortest) if call.text(flag) else None


def _proxy(call: Call) -> TrustedProxy | None:
    from ipaddress import ip_network

    from serinus.dashboard.team.proxy import TrustedProxy
    from serinus.dashboard.team.settings import BadSettings

    addresses, secrets = call.texts("proxy-address"), _secrets(call, "proxy-secret-file")
    if not addresses and secrets is None:
        return None
    if not addresses or secrets is None:
        raise BadSettings("--proxy-address and --proxy-secret-file belong together: a proxy is trusted by both")
    try:
        networks = tuple(ip_network(address) for address in addresses)
    except ValueError as error:
        raise BadSettings(f"--proxy-address: {error}. Write an address or a network such as 10.0.3.0/24.") from None
    return TrustedProxy(networks, secrets, call.text("proxy-user-header"), call.text("proxy-groups-header"))


def _oidc(call: Call) -> OidcSettings | None:
    from importlib.util import find_spec

    from serinus.dashboard.team.oidc.settings import OidcSettings, checked_issuer
    from serinus.dashboard.team.settings import BadSettings

    issuer, client = call.text("oidc-issuer"), call.text("oidc-client-id")
    if not issuer and not client:
        return None
    if not issuer or not client:
        raise BadSettings("--oidc-issuer and --oidc-client-id belong together")
    if find_spec("jwt") is None:
        raise BadSettings("OIDC needs the package pyjwt: install 'serinus[dashboard-oidc]', which has it")
    return OidcSettings(
        checked_issuer(issuer),
        client,
        _secrets(call, "oidc-client-secret-file", shortest=1),  # the provider chose it
        scopes=tuple(dict.fromkeys(("openid", *(call.texts("oidc-scope") or ("email", "profile"))))),
        user_claim=call.text("oidc-user-claim"),
        groups_claim=call.text("oidc-groups-claim"),
        prefix=call.text("oidc-prefix"),
        groups=frozenset(call.texts("oidc-group")),
    )


def _log() -> None:
    """Warnings go to stderr, the audit to stdout, one JSON object in each line."""
    import logging
    import sys

    from serinus.kube.sparse_log import Sparse

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparse())
    audit = logging.getLogger("serinus.dashboard.audit")
    audit.setLevel(logging.INFO)
    audit.propagate = False
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(logging.Formatter("%(message)s"))
    audit.addHandler(lines)


COMMAND = Command(
    run,
    "Serve the dashboard to a team. Each request to the API server that a user causes carries his identity: his bearer\n"
    "token, or his name and groups by impersonation. `serinus install --dashboard` prints its objects.",
    "",
    (
        "serinus dashboard-server --url https://rollouts.example.com/rollouts --cookie-key-file /keys/cookie \\\n"
        "    --oidc-issuer https://login.example.com --oidc-client-id rollouts",
    ),
    flags=(
        Flag(
            "url", "Address that browsers use, with the path", default="http://localhost:3100/rollouts", metavar="URL"
        ),
        Flag("port", "Port to listen on; 0 for any free one", short="p", default=3100, parse=whole(0, 65535)),
        Flag("address", "Address to listen on", default="0.0.0.0", metavar="IP"),
        Flag("cookie-key-file", "File with the keys of sessions, one in each line", metavar="FILE"),
        Flag("session-minutes", "Minutes after which a user signs in again", default=60, parse=whole(1)),
        Flag("read-only", "Refuse all changes", default=False),
        Flag("token-sign-in", "Users may sign in with a bearer token of the cluster", default=True),
        Flag(
            "proxy-address",
            "Address or network of the authenticating proxy; may be repeated",
            default=(),
            metavar="CIDR",
        ),
        Flag("proxy-secret-file", "File with the secret that the proxy sends", metavar="FILE"),
        Flag("proxy-user-header", "Header with the user's name", default="X-Forwarded-User", metavar="NAME"),
        Flag(
            "proxy-groups-header", "Header with the groups, with commas", default="X-Forwarded-Groups", metavar="NAME"
        ),
        Flag("oidc-issuer", "OpenID provider", metavar="URL"),
        Flag("oidc-client-id", "The dashboard's client id at the provider", metavar="ID"),
        Flag("oidc-client-secret-file", "File with the client's secret; none for a public client", metavar="FILE"),
        Flag(
            "oidc-scope",
            "Scope besides openid, email and profile if none is given; may be repeated",
            default=(),
            metavar="SCOPE",
        ),
        Flag("oidc-user-claim", "Claim with the user's name", default="email", metavar="CLAIM"),
        Flag("oidc-groups-claim", "Claim with the groups", default="groups", metavar="CLAIM"),
        Flag("oidc-prefix", "Prefix of the names of users and groups", default="oidc:", metavar="TEXT"),
        Flag(
            "oidc-group", "Use only this group, given without the prefix; may be repeated", default=(), metavar="NAME"
        ),
        *(flag for flag in CONNECTION if flag.name not in ("request-timeout",)),
    ),
)
