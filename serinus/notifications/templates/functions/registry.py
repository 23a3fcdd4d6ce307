"""All template functions by name, and the names of sprig that this package refuses."""

from __future__ import annotations

from serinus.notifications.templates.functions.encoding import ENCODINGS
from serinus.notifications.templates.functions.function import Table
from serinus.notifications.templates.functions.go import GO
from serinus.notifications.templates.functions.lists import LISTS
from serinus.notifications.templates.functions.numbers import NUMBERS
from serinus.notifications.templates.functions.text import TEXTS
from serinus.notifications.templates.functions.time import TIMES
from serinus.notifications.templates.functions.versions import VERSIONS

FUNCTIONS = Table({**GO, **TEXTS, **LISTS, **NUMBERS, **TIMES, **ENCODINGS, **VERSIONS})

MADE_BY_THE_COMPILER = frozenset({"and", "or", "call"})

NAMES = frozenset(FUNCTIONS) | MADE_BY_THE_COMPILER

REFUSED = frozenset((
    "env", "expandenv", "getHostByName", "bcrypt", "htpasswd", "genPrivateKey", "derivePassword",
    "buildCustomCert", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
    "genSignedCert", "genSignedCertWithKey", "encryptAES", "decryptAES", "randBytes", "randAlphaNum",
    "randAlpha", "randAscii", "randNumeric", "randInt", "shuffle", "osBase", "osClean", "osDir", "osExt",
    "osIsAbs", "wrap", "wrapWith", "abbrevboth", "urlParse", "urlJoin", "deepCopy", "mustDeepCopy", "hello",
))  # fmt: skip
"""Functions of sprig that use the network, the host, keys or randomness, or that no known template uses."""
