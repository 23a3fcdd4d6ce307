"""The `authentication` field of web and prometheus."""

from __future__ import annotations

import msgspec

from serinus.analysis.providers.http.oauth2 import OAuth2


class BasicAuth(msgspec.Struct):
    username: str = ""
    password: str = ""


class SigV4(msgspec.Struct, rename="camel"):
    region: str = ""
    profile: str = ""
    role_arn: str = ""


class Authentication(msgspec.Struct, rename="camel"):
    basic_auth: BasicAuth | None = None
    oauth2: OAuth2 | None = None
    sigv4: SigV4 | None = None


class Header(msgspec.Struct):
    key: str
    value: str
