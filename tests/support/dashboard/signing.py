"""Keys of an OpenID provider, and ID tokens that they sign, right and wrong ones."""

from __future__ import annotations

from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

Json = dict[str, Any]


class Key:
    """`name`: its key id."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def private_jwk(self) -> Json:
        return self._jwk(RSAAlgorithm.to_jwk(self._key, as_dict=True))

    @property
    def public_jwk(self) -> Json:
        return self._jwk(RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True))

    @property
    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(self, claims: Json, **header: Any) -> str:
        return jwt.encode(claims, self._key, "RS256", headers={"kid": self.name, **header})

    def _jwk(self, key: Json) -> Json:
        return {**{k: v for k, v in key.items() if k != "key_ops"}, "kid": self.name, "use": "sig", "alg": "RS256"}
