"""Which API server, and as whom: kubeconfig files, connection flags and service accounts, by kubectl's rules.

`--kubeconfig` names the one file that counts; else `$KUBECONFIG` may name several (missing ones are skipped; of two
entries with one name, and of two current contexts, the first stands); else `~/.kube/config`; else, in a pod, its
service account. Paths in a file are relative to that file. Flags override what the file says. `…-data` beats a file,
`tokenFile` beats `token`. Errors name file, field, what was found and what to do.

Imports nothing that is slow: every command starts here.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from serinus.api.records import field, record
from serinus.kube.exec_plugin import ExecPlugin

Json = dict[str, Any]

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ConfigError(Exception):
    """Why no connection can be made of what is configured, and what to do: sentences for the user."""


@record(frozen=True)
class Flags:
    """kubectl's connection flags; empty where not given."""

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
    """All that it takes to call an API server. Certificates and keys are PEM; secrets are kept out of its text form."""

    server: str
    """URL without a slash at its end."""
    namespace: str = "default"
    """Where the user is: what `-n` says, else the context."""
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


@record(frozen=True)
class _Entry:
    """One named cluster, user or context, and the file it stands in."""

    file: Path
    where: str
    value: Json

    def text(self, key: str) -> str:
        found = self.value.get(key)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise ConfigError(f"{self.file}: {self.where}.{key} must be text, found {found!r}. Correct it there.")
        return found

    def truth(self, key: str) -> bool:
        found = self.value.get(key, False)
        if not isinstance(found, bool):
            raise ConfigError(
                f"{self.file}: {self.where}.{key} must be true or false, found {found!r}. Correct it there."
            )
        return found

    def path(self, key: str) -> str:
        found = self.text(key)
        return str(self.file.parent / Path(found).expanduser()) if found else ""

    def pem(self, key: str) -> bytes:
        """What `<key>-data` holds in base64, else the content of the file that `key` names."""
        data = self.text(f"{key}-data")
        if data:
            try:
                return base64.b64decode(data, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ConfigError(
                    f"{self.file}: {self.where}.{key}-data is no base64: {error}. Correct it there."
                ) from None
        path = self.path(key)
        return _read(Path(path), f"{self.file}: {self.where}.{key}") if path else b""


@record()
class _Merged:
    files: list[Path] = field(default_factory=list[Path])
    entries: dict[str, dict[str, _Entry]] = field(
        default_factory=lambda: {"clusters": {}, "users": {}, "contexts": {}},
    )
    current: str = ""


def load(flags: Flags | None = None, *, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection that flags, files and environment describe. ConfigError if they describe none."""
    given, env = flags or Flags(), os.environ if environ is None else environ
    files, required = _files(given, env)
    merged = _merge(files, required)
    if not merged.files and not given.server:
        if env.get("KUBERNETES_SERVICE_HOST") and not required:
            return in_cluster(given, environ=env)
        tried = ", ".join(str(file) for file in files)
        raise ConfigError(
            f"no API server is configured: there is no {tried}. Start one on this machine with `serinus up`, "
            "or name a kubeconfig with --kubeconfig FILE or $KUBECONFIG."
        )
    return _connection(merged, given)


def names(section: str, kubeconfig: str = "", *, environ: Mapping[str, str] | None = None) -> list[str]:
    """What the kubeconfig calls its `contexts`, `clusters` or `users`. ConfigError if it cannot be read."""
    files, required = _files(Flags(kubeconfig=kubeconfig), os.environ if environ is None else environ)
    return sorted(_merge(files, required).entries[section])


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
    return Connection(
        server=given.server.rstrip("/") or f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=given.namespace or (space.read_text().strip() if space.is_file() else "default"),
        ca=b"" if given.insecure_skip_tls_verify else ca.read_bytes() if ca.is_file() else b"",
        insecure=given.insecure_skip_tls_verify,
        tls_server_name=given.tls_server_name,
        token=given.token,
        token_file="" if given.token else str(token),
        impersonate=_impersonation(given),
        timeout=_timeout(given.request_timeout),
        disable_compression=given.disable_compression,
    )


def _files(flags: Flags, env: Mapping[str, str]) -> tuple[list[Path], bool]:
    """The files to read, and whether they must exist."""
    if flags.kubeconfig:
        return [Path(flags.kubeconfig).expanduser()], True
    named = [Path(part).expanduser() for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    return named or [Path(env.get("HOME") or "~").expanduser() / ".kube" / "config"], False


def _merge(files: list[Path], required: bool) -> _Merged:
    merged = _Merged()
    for file in files:
        if not file.exists():
            if required:
                raise ConfigError(f"the kubeconfig {file} does not exist. Check --kubeconfig.")
            continue
        content = _parse(file)
        merged.files.append(file)
        current = content.get("current-context") or ""
        if not isinstance(current, str):
            raise ConfigError(f"{file}: current-context must be text, found {current!r}. Correct it there.")
        merged.current = merged.current or current
        for section, inner in (("clusters", "cluster"), ("users", "user"), ("contexts", "context")):
            _collect(file, section, inner, content.get(section), merged.entries[section])
    return merged


def _collect(file: Path, section: str, inner: str, rows: Any, into: dict[str, _Entry]) -> None:
    if rows is None:
        return
    if not isinstance(rows, list):
        raise ConfigError(f"{file}: {section} must be a list, found {_kind(rows)}. Correct it there.")
    for place, row in enumerate(cast(list[Any], rows)):
        name = row.get("name") if isinstance(row, dict) else None
        value = row.get(inner) or {} if isinstance(row, dict) else None
        if not isinstance(name, str) or not isinstance(value, dict):
            raise ConfigError(
                f"{file}: {section}[{place}] must have a name and a {inner}, found {_kind(row)}. Correct it there."
            )
        into.setdefault(name, _Entry(file, f"{section}[{name}].{inner}", cast(Json, value)))


def _parse(file: Path) -> Json:
    data = _read(file, "the kubeconfig")
    if not data.strip():
        return {}
    try:
        if data.lstrip().startswith(b"{"):
            content: Any = json.loads(data)
        else:
            from serinus.api import go_yaml  # slow to import: only where it is needed

            content = go_yaml.load(data)
    except (ValueError, RecursionError) as error:
        form = "neither YAML nor JSON" if data.lstrip().startswith(b"{") else "no YAML"
        raise ConfigError(f"{file} is {form}: {error}. Correct it, or name another with --kubeconfig.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} is no kubeconfig: a mapping was expected, found {_kind(content)}.")
    return cast(Json, content)


def _connection(merged: _Merged, flags: Flags) -> Connection:
    context_name = flags.context or merged.current
    context = _named(merged, "contexts", context_name, "--context" if flags.context else "current-context")
    cluster_name = flags.cluster or (context.text("cluster") if context else "")
    user_name = flags.user or (context.text("user") if context else "")
    cluster = _named(
        merged, "clusters", cluster_name, "--cluster" if flags.cluster else f"the context {context_name!r}"
    )
    user = _named(merged, "users", user_name, "--user" if flags.user else f"the context {context_name!r}")
    server = (flags.server or (cluster.text("server") if cluster else "")).rstrip("/")
    if not server:
        raise ConfigError(_no_server(merged, cluster, context_name))
    if "://" not in server:
        server = f"https://{server}" if flags.server else server
    if not server.startswith(("https://", "http://")):
        place = "--server" if flags.server else f"{cluster.file}: {cluster.where}.server" if cluster else "--server"
        raise ConfigError(f"{place} must be a URL such as https://127.0.0.1:6443, found {server!r}. Correct it there.")
    insecure = flags.insecure_skip_tls_verify or (cluster.truth("insecure-skip-tls-verify") if cluster else False)
    ca = b""
    if flags.certificate_authority:
        ca = _read(Path(flags.certificate_authority), "--certificate-authority")
    elif cluster and not insecure:
        ca = cluster.pem("certificate-authority")
    return Connection(
        server=server,
        namespace=flags.namespace or (context.text("namespace") if context else "") or "default",
        context=context_name,
        ca=ca,
        insecure=insecure,
        tls_server_name=flags.tls_server_name or (cluster.text("tls-server-name") if cluster else ""),
        proxy=cluster.text("proxy-url") if cluster else "",
        impersonate=_impersonation(flags, user),
        timeout=_timeout(flags.request_timeout),
        disable_compression=flags.disable_compression or (cluster.truth("disable-compression") if cluster else False),
        **_credentials(flags, user),
    )


def _credentials(flags: Flags, user: _Entry | None) -> Json:
    """The fields of a Connection that say who calls. A token from a flag replaces every other way."""
    if flags.token:
        return {"token": flags.token}
    found: Json = {}
    certificate = _read(Path(flags.client_certificate), "--client-certificate") if flags.client_certificate else b""
    key = _read(Path(flags.client_key), "--client-key") if flags.client_key else b""
    if user is not None:
        certificate = certificate or user.pem("client-certificate")
        key = key or user.pem("client-key")
        token_file = user.path("tokenFile")
        found = {
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
    return {**found, "client_certificate": certificate, "client_key": key}


def _exec_plugin(user: _Entry) -> ExecPlugin | None:
    given = user.value.get("exec")
    if not given:
        return None
    if not isinstance(given, dict):
        raise ConfigError(f"{user.file}: {user.where}.exec must be a mapping, found {_kind(given)}. Correct it there.")
    entry = _Entry(user.file, f"{user.where}.exec", cast(Json, given))
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
    # A path is relative to the file, a bare name is looked up in $PATH.
    program = str(entry.file.parent / command) if os.sep in command else command
    pairs = tuple((str(row["name"]), str(row["value"])) for row in cast(list[Json], env))
    return ExecPlugin(program, tuple(map(str, cast(list[Any], args))), pairs, version, entry.text("installHint"))


def _named(merged: _Merged, section: str, name: str, asked_by: str) -> _Entry | None:
    """The entry of this name; None for no name. ConfigError if it is named and not there."""
    if not name:
        return None
    entries = merged.entries[section]
    if name in entries:
        return entries[name]
    import difflib  # only where something is misspelt

    near = difflib.get_close_matches(name, entries, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(entries)) or 'none'}."
    files = ", ".join(str(file) for file in merged.files) or "the kubeconfig"
    raise ConfigError(f"{asked_by} names {section[:-1]} {name!r}, which {files} does not have: {advice}")


def _no_server(merged: _Merged, cluster: _Entry | None, context: str) -> str:
    if cluster is not None:
        return f"{cluster.file}: {cluster.where}.server is missing. Write the URL of the API server there."
    files = ", ".join(str(file) for file in merged.files)
    if context:
        return f"{files}: the context {context!r} names no cluster. Add one, or use --cluster or --server."
    names = ", ".join(sorted(merged.entries["contexts"])) or "none"
    return f"{files}: current-context is not set; contexts: {names}. Choose one with --context NAME."


def _impersonation(flags: Flags, user: _Entry | None = None) -> tuple[tuple[str, str], ...]:
    name = flags.as_user or (user.text("as") if user else "")
    uid = flags.as_uid or (user.text("as-uid") if user else "")
    groups = flags.as_groups or tuple(map(str, (user.value.get("as-groups") or []) if user else []))
    if not name:
        if groups or uid:
            raise ConfigError("--as-group and --as-uid need --as: say as which user.")
        return ()
    headers = [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]
    return tuple([*headers, ("Impersonate-Uid", uid)] if uid else headers)


def _timeout(text: str) -> float:
    if not text:
        return 0.0
    from serinus.api.durations import pause_seconds

    try:
        seconds = pause_seconds(text)
    except ValueError as error:
        raise ConfigError(f"--request-timeout: {error}.") from None
    if seconds < 0:
        raise ConfigError(f"--request-timeout must not be negative, found {text!r}. 0 means no limit.")
    return seconds


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {path}: {error.strerror}.") from None


def _kind(value: Any) -> str:
    names = {
        dict: "a mapping",
        list: "a list",
        str: "text",
        int: "a number",
        bool: "true or false",
        type(None): "nothing",
    }
    return names.get(type(value), type(value).__name__)
