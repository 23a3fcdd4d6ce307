"""Impersonation of another user: `--as` and `as`, `as-uid`, `as-groups` and `as-user-extra` of a kubeconfig's user."""

from __future__ import annotations

from typing import cast

from serinus.kube.configuration.kubeconfig import ConfigError, Json, KubeconfigEntry, kind_of

_OF_NAMES = "!#$&'*+-.^_`|~"
"""Allowed in a header's name besides letters and digits. Other bytes are percent-encoded, as in client-go."""


def impersonation(
    as_user: str, as_uid: str, as_groups: tuple[str, ...], user: KubeconfigEntry | None = None
) -> tuple[tuple[str, str], ...]:
    """The impersonation headers from the flags, otherwise from the kubeconfig's user. ConfigError if they conflict."""
    from urllib.parse import quote

    name = as_user or (user.text("as") if user else "")
    uid = as_uid or (user.text("as-uid") if user else "")
    groups = as_groups or (user.texts("as-groups") if user else ())
    if not name:
        if groups or uid:
            raise ConfigError("--as-group and --as-uid need --as: say as which user.")
        return ()
    headers = [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]
    for key, values in _extra(user).items():
        headers += [(f"Impersonate-Extra-{quote(key, safe=_OF_NAMES)}", value) for value in values]
    return tuple([*headers, ("Impersonate-Uid", uid)] if uid else headers)


def _extra(user: KubeconfigEntry | None) -> dict[str, tuple[str, ...]]:
    """Extra fields of the impersonated user. Without them the API server might authorize a user with more rights."""
    given = user.value.get("as-user-extra") if user else None
    if not user or not given:
        return {}
    if not isinstance(given, dict):
        raise ConfigError(
            f"{user.file}: {user.where}.as-user-extra must be a mapping, found {kind_of(given)}. Correct it there."
        )
    extra = KubeconfigEntry(user.file, f"{user.where}.as-user-extra", cast(Json, given))
    return {str(key): extra.texts(key) for key in extra.value}
