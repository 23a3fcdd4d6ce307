"""Finds the API server and credentials in kubeconfig files, flags and service accounts, by kubectl's rules.

`--kubeconfig` names a single file. Otherwise `$KUBECONFIG` may name several: missing ones are skipped; of two entries
with one name, and of two current contexts, the first wins. Otherwise `~/.kube/config` is used; otherwise, in a pod, its
service account. Paths in a file are relative to that file. Flags override the file. `…-data` overrides a file path,
`tokenFile` overrides `token`. Errors name the file, the field, the value found and the remedy.

It imports no slow module, because every command starts here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from serinus.api.records import field, record
from serinus.kube.configuration.exec_plugin import ExecPlugin
from serinus.kube.configuration.impersonation import impersonation
from serinus.kube.configuration.kubeconfig import (
    ConfigError,
    Json,
    KubeconfigEntry,
    Merged,
    kind_of,
    merged,
    named,
    of_secret,
    read,
)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@record(frozen=True)
class Flags:
    """kubectl's connection flags; empty if not given."""

    kubeconfig: str = ""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    server: str = ""
    token: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    as_uid: str = ""
    request_timeout: str = ""
    certificate_authority: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    disable_compression: bool = False


@record(frozen=True)
class Connection:
    """All settings to call an API server. Certificates and keys are PEM. Its repr omits secrets."""

    server: str
    """URL without a slash at its end."""
    namespace: str = "default"
    """The namespace of `-n`, otherwise that of the context."""
    context: str = ""
    ca: bytes = b""
    insecure: bool = False
    tls_server_name: str = ""
    client_certificate: bytes = b""
    client_key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    exec_plugin: ExecPlugin | None = None
    proxy: str = ""
    impersonate: tuple[tuple[str, str], ...] = ()
    """Headers, in order."""
    timeout: float = 0.0
    """Seconds for one request; 0: the default of the transport."""
    disable_compression: bool = False


def _files(flags: Flags, env: Mapping[str, str]) -> tuple[list[Path], bool]:
    """The files to read, and whether they must exist."""
    if flags.kubeconfig:
        return [Path(flags.kubeconfig).expanduser()], True
    named = [Path(part).expanduser() for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path(env.get("HOME") or "~").expanduser() / ".kube" / "config"], False


def load(flags: Flags | None = None, *, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection that flags, files and environment describe. ConfigError if they describe none."""
    given, env = flags or Flags(), os.environ if environ is None else environ
    files, required = _files(given, env)
    kubeconfig = merged(files, required)
    if not kubeconfig.files and not given.server:
        if env.get("KUBERNETES_SERVICE_HOST") and not required:
            return in_cluster(given, environ=env)
        tried = ", ".join(str(file) for file in files)
        raise ConfigError(
            f"no API server is configured: there is no {tried}. Start one on this machine with `serinus up`, "
            "or name a kubeconfig with --kubeconfig FILE or $KUBECONFIG."
        )
    return _connection(kubeconfig, given, env)


def from_secret(content: bytes, source: str, *, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection of a kubeconfig in a Secret. ConfigError if it gives none, or names files or programs."""
    kubeconfig = of_secret(content, source)
    return _connection(kubeconfig, Flags(), os.environ if environ is None else environ)


def names(section: str, kubeconfig: str = "", *, environ: Mapping[str, str] | None = None) -> list[str]:
    """The names of `contexts`, `clusters` or `users` in the kubeconfig. ConfigError if it cannot be read."""
    files, required = _files(Flags(kubeconfig=kubeconfig), os.environ if environ is None else environ)
    return sorted(merged(files, required).entries[section])


def in_cluster(
    flags: Flags | None = None, *, environ: Mapping[str, str] | None = None, account: Path = SERVICE_ACCOUNT
) -> Connection:
    """The connection that a pod's service account gives. ConfigError outside of a pod."""
    given, env = flags or Flags(), os.environ if environ is None else environ
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError(
            "not in a pod: $KUBERNETES_SERVICE_HOST is not set. Name a kubeconfig with --kubeconfig FILE."
        )
    token, ca, space = account / "token", account / "ca.crt", account / "namespace"
    if not token.is_file():
        raise ConfigError(
            f"{token} does not exist: the pod has no service account token. Set automountServiceAccountToken: true."
        )
    server = given.server.rstrip("/") or f"https://{f'[{host}]' if ':' in host else host}:{port}"
    server = server if "://" in server else f"https://{server}"
    secure = server.startswith("https://")
    insecure, authority = _trust(given, None)
    if not insecure and not authority and ca.is_file():
        authority = read(ca, "the service account's ca.crt")
    return Connection(
        server=server,
        namespace=given.namespace or (space.read_text().strip() if space.is_file() else "default"),
        ca=authority,
        insecure=insecure,
        tls_server_name=given.tls_server_name,
        proxy=_proxy(server, env, None),
        token=given.token if secure else "",
        token_file=str(token) if secure and not given.token else "",
        impersonate=impersonation(given.as_user, given.as_uid, given.as_groups),
        timeout=_timeout(given.request_timeout),
        disable_compression=given.disable_compression,
    )


def _connection(files: Merged, flags: Flags, env: Mapping[str, str]) -> Connection:
    context_name = flags.context or files.current
    context = named(files, "contexts", context_name, "--context" if flags.context else "current-context")
    cluster_name = flags.cluster or (context.text("cluster") if context else "")
    user_name = flags.user or (context.text("user") if context else "")
    cluster = named(files, "clusters", cluster_name, "--cluster" if flags.cluster else f"the context {context_name!r}")
    user = named(files, "users", user_name, "--user" if flags.user else f"the context {context_name!r}")
    server = (flags.server or (cluster.text("server") if cluster else "")).rstrip("/")
    if not server:
        raise ConfigError(_no_server(files, cluster, context_name))
    if "://" not in server:
        server = f"https://{server}" if flags.server else server
    if not server.startswith(("https://", "http://")):
        place = "--server" if flags.server else f"{cluster.file}: {cluster.where}.server" if cluster else "--server"
        raise ConfigError(f"{place} must be a URL such as https://127.0.0.1:6443, found {server!r}. Correct it there.")
    secure = server.startswith("https://")
    insecure, ca = _trust(flags, cluster) if secure else (False, b"")
    # With --server the server name in the kubeconfig does not apply.
    expected = flags.tls_server_name or ("" if flags.server or not cluster else cluster.text("tls-server-name"))
    return Connection(
        server=server,
        namespace=flags.namespace or (context.text("namespace") if context else "") or "default",
        context=context_name,
        ca=ca,
        insecure=insecure,
        tls_server_name=expected,
        proxy=_proxy(server, env, cluster),
        impersonate=impersonation(flags.as_user, flags.as_uid, flags.as_groups, user),
        timeout=_timeout(flags.request_timeout),
        disable_compression=flags.disable_compression or (cluster.truth("disable-compression") if cluster else False),
        # As in client-go: plain HTTP has no authentication, so no token, password or program is read.
        **(_credentials(flags, user) if secure else {}),
    )


def _trust(flags: Flags, cluster: KubeconfigEntry | None) -> tuple[bool, bytes]:
    """(insecure-skip-tls-verify, the authorities). As in client-go, either flag replaces both kubeconfig fields."""
    if flags.insecure_skip_tls_verify or flags.certificate_authority:
        insecure, place = flags.insecure_skip_tls_verify, "--certificate-authority"
        ca = read(Path(flags.certificate_authority), place) if flags.certificate_authority else b""
        other = "--insecure-skip-tls-verify"
    elif cluster is not None:
        insecure, ca = cluster.truth("insecure-skip-tls-verify"), cluster.pem("certificate-authority")
        place, other = f"{cluster.file}: {cluster.where}.certificate-authority", "insecure-skip-tls-verify"
    else:
        return False, b""
    if insecure and ca:
        raise ConfigError(f"{place} and {other} exclude each other: leave out one of them.")
    return insecure, ca


def _proxy(server: str, env: Mapping[str, str], cluster: KubeconfigEntry | None) -> str:
    """URL of the proxy; empty for none."""
    from serinus.kube.http.proxies import BadProxy, of_environment, proxy_at

    given = cluster.text("proxy-url") if cluster else ""
    try:
        url = given or of_environment(server, env)
        if url:
            proxy_at(url)
    except BadProxy as error:
        place = f"{cluster.file}: {cluster.where}.proxy-url" if given and cluster else "the proxy of the environment"
        raise ConfigError(f"{place} cannot be used: {error}. Correct it there.") from None
    return url


def _credentials(flags: Flags, user: KubeconfigEntry | None) -> Json:
    """The credential fields of a Connection. A token from a flag replaces every other credential."""
    if flags.token:
        return {"token": flags.token}
    fields: Json = {}
    certificate = read(Path(flags.client_certificate), "--client-certificate") if flags.client_certificate else b""
    key = read(Path(flags.client_key), "--client-key") if flags.client_key else b""
    if user is not None:
        certificate = certificate or user.pem("client-certificate")
        key = key or user.pem("client-key")
        token_file = user.path("tokenFile")
        fields = {
            "token": "" if token_file else user.text("token"),
            "token_file": token_file,
            "username": user.text("username"),
            "password": user.text("password"),
            "exec_plugin": _exec_plugin(user),
        }
        if user.value.get("auth-provider"):
            raise ConfigError(
                f"{user.file}: {user.where}.auth-provider is no longer supported by Kubernetes. Use exec instead."
            )
    if bool(certificate) != bool(key):
        place = f"{user.file}: {user.where}" if user else "the flags"
        there, missing = ("client-certificate", "client-key") if certificate else ("client-key", "client-certificate")
        raise ConfigError(f"{place} has a {there} and no {missing}. Give both.")
    return {**fields, "client_certificate": certificate, "client_key": key}


def _exec_plugin(user: KubeconfigEntry) -> ExecPlugin | None:
    given = user.value.get("exec")
    if not given:
        return None
    if not isinstance(given, dict):
        raise ConfigError(
            f"{user.file}: {user.where}.exec must be a mapping, found {kind_of(given)}. Correct it there."
        )
    entry = KubeconfigEntry(user.file, f"{user.where}.exec", cast(Json, given))
    command, version = entry.text("command"), entry.text("apiVersion")
    if not command:
        raise ConfigError(
            f"{entry.file}: {entry.where}.command is missing. Name the program that gives the credential."
        )
    known = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
    if version not in known:
        raise ConfigError(
            f"{entry.file}: {entry.where}.apiVersion must be one of {', '.join(known)}, found {version!r}."
        )
    args, env = entry.value.get("args") or [], entry.value.get("env") or []
    if not isinstance(args, list) or not isinstance(env, list):
        raise ConfigError(f"{entry.file}: {entry.where}.args and .env must be lists. Correct it there.")
    # A path is relative to the file. A bare name is searched in $PATH.
    program = str(entry.file.parent / command) if os.sep in command else command
    for name, rows in (("args", args), ("env", env)):
        for place, row in enumerate(cast(list[Any], rows)):
            pair: list[Any] = (
                [row] if name == "args" else [row.get("name"), row.get("value")] if isinstance(row, dict) else [None]
            )
            if not all(isinstance(part, str) for part in pair):
                expected = "text" if name == "args" else "a name and a value, both text"
                raise ConfigError(f"{entry.file}: {entry.where}.{name}[{place}] must be {expected}. Correct it there.")
    pairs = tuple((row["name"], row["value"]) for row in cast(list[dict[str, str]], env))
    return ExecPlugin(program, tuple(cast(list[str], args)), pairs, version, entry.text("installHint"))


def _no_server(kubeconfig: Merged, cluster: KubeconfigEntry | None, context: str) -> str:
    if cluster is not None:
        return f"{cluster.file}: {cluster.where}.server is missing. Write the URL of the API server there."
    files = ", ".join(str(file) for file in kubeconfig.files)
    if context:
        return f"{files}: the context {context!r} names no cluster. Add one, or use --cluster or --server."
    names = ", ".join(sorted(kubeconfig.entries["contexts"])) or "none"
    return f"{files}: current-context is not set; contexts: {names}. Choose one with --context NAME."


def _timeout(text: str) -> float:
    if not text:
        return 0.0
    from serinus.api.values.durations import pause_seconds

    try:
        seconds = pause_seconds(text)
    except ValueError as error:
        raise ConfigError(f"--request-timeout: {error}.") from None
    if seconds < 0:
        raise ConfigError(f"--request-timeout must not be negative, found {text!r}. 0 means no limit.")
    return seconds
