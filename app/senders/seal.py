"""Secrets at rest: sealed with AES-256-GCM, each to the row that it belongs to."""

import os
from dataclasses import dataclass
from typing import ClassVar, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.domain.errors import Conflict

FORM: Final = b"\x01"
NONCE_BYTES: Final = 12
PURPOSE: Final = b"dunghan webhook secret 1"
ADDRESSES: Final = b"dunghan mail address 1"


@dataclass(eq=False, kw_only=True)
class SealBroken(Conflict):
    """A stored secret cannot be opened: another key, another row, or damaged."""

    code: ClassVar[str] = "webhook.seal_broken"


class Sealer:
    """Closes and opens secrets of one purpose; its key is derived from the installation's."""

    def __init__(self, key: bytes, purpose: bytes = PURPOSE) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key)
        self._cipher = AESGCM(derived)

    def seal(self, secret: str, *, owner: str) -> bytes:
        """Close a secret so that it opens only for the same owner."""
        nonce = os.urandom(NONCE_BYTES)
        return FORM + nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """Open a secret.

        :raises SealBroken: it was closed with another key or for another owner, or is damaged.
        """
        nonce, closed = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] != FORM or len(nonce) != NONCE_BYTES:
            raise SealBroken
        try:
            return self._cipher.decrypt(nonce, closed, owner.encode()).decode()
        except InvalidTag:
            raise SealBroken from None
