"""All template functions by name, and the names of sprig that this package refuses."""

from __future__ import annotations

from serinus.notifications.templates.functions import Table
from serinus.notifications.templates.functions_of_encoding import ENCODINGS
from serinus.notifications.templates.functions_of_go import GO
from serinus.notifications.templates.functions_of_lists import LISTS
from serinus.notifications.templates.functions_of_numbers import NUMBERS
from serinus.notifications.templates.functions_of_text import TEXTS
from serinus.notifications.templates.functions_of_time import TIMES
from serinus.notifications.templates.functions_of_versions import VERSIONS

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
