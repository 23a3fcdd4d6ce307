"""Selects the proxy for an API server: `proxy-url` of the kubeconfig, otherwise the environment, by client-go's rules.

`proxy-url` applies to every server. `HTTPS_PROXY` (for http:// servers `HTTP_PROXY`; upper case first) does not apply
to localhost, loopback addresses, and the entries of `NO_PROXY`: `*`, a name with its subdomains, `.name` for the
subdomains only, an address, a network such as `10.0.0.0/8`, each with or without a port. Source:
golang.org/x/net/http/httpproxy and k8s.io/client-go/tools/clientcmd/validation.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from serinus.api.records import field, record

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

SCHEMES = {"http": 80, "https": 443, "socks5": 1080}
"""scheme -> default port."""


class BadProxy(ValueError):
    """An invalid proxy URL. The message omits the URL, which may contain a password."""


@record(frozen=True)
class Proxy:
    """`scheme`: one of SCHEMES. `host` is resolved locally, the API server's name at the proxy."""

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def where(self) -> str:
        """The address for messages, without user and password."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def proxy_at(url: str) -> Proxy:
    """Parses the URL. BadProxy if it is not usable."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadProxy(str(error)) from None
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    if scheme not in SCHEMES:
        raise BadProxy(f"it must begin with http://, https:// or socks5://, found {parts.scheme or 'no scheme'!r}")
    if not parts.hostname:
        raise BadProxy("it names no host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme == "socks5" and max(len(user.encode()), len(password.encode())) > 255:
        raise BadProxy("SOCKS5 takes no user and no password of more than 255 bytes")
    return Proxy(scheme, parts.hostname, port or SCHEMES[scheme], user, password)


def of_environment(server: str, environ: Mapping[str, str]) -> str:
    """URL of the proxy that the environment names for this server; empty for none."""
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    url = environ.get(name.upper()) or environ.get(name) or ""
    if not url:
        return ""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if _direct(host, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return ""
    return url if "://" in url else f"http://{url}"


def _direct(host: str, port: int, exceptions: str) -> bool:
    import ipaddress  # slow to import: only with a proxy

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    words = exceptions.lower().replace(" ", "").split(",")
    if address is None:
        return any(_excepts_name(word, host, port) for word in words if word)
    return any(_excepts_address(word, address, port) for word in words if word)


def _excepts_name(word: str, host: str, port: int) -> bool:
    """Whether a word of NO_PROXY means the host or a domain that it belongs to."""
    if word == "*":
        return True
    name = _without_port(word, port)
    if name is None:
        return False
    name = name.removeprefix("*")
    return host == name or host.endswith(name if name.startswith(".") else f".{name}")


def _excepts_address(word: str, address: IPv4Address | IPv6Address, port: int) -> bool:
    """Whether a word of NO_PROXY is the address, or a network that contains it."""
    import ipaddress

    if word == "*":
        return True
    if "/" in word:
        try:
            return address in ipaddress.ip_network(word, strict=False)
        except ValueError:
            return False
    return _without_port(word, port) == str(address)


def _without_port(word: str, port: int) -> str | None:
    """The name or address of a word, without brackets; None if the word has another port."""
    name, colon, number = word.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return None
        word = name
    return word.strip("[]")
