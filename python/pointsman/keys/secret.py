"""Keys as strings, and the keyed hash that is kept of them.

A key is `pm_<id>_<secret>`. The secret has 256 bits from the system's generator, so there is no guessing to
slow down: a keyed BLAKE2b takes microseconds where argon2, made for what people think up, takes 50 ms a
request. Its pepper lies in a file of its own, so a keys file that leaks alone cannot even confirm a guess.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

PREFIX = "pm"
DIGEST_BYTES = 32
PEPPER_BYTES = 32
_ID_BYTES = 8
_SECRET_BYTES = 32
_MAX_CHARS = 200


def new_pepper() -> bytes:
    """A fresh pepper."""
    return secrets.token_bytes(PEPPER_BYTES)


def new_key() -> tuple[str, str]:
    """A fresh key: its id (16 hex digits) and the whole of it, to be shown once."""
    key_id = secrets.token_hex(_ID_BYTES)
    return key_id, f"{PREFIX}_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"


def id_of(key: str) -> str | None:
    """The id a key claims; `None` for what is no key of ours at all."""
    if len(key) > _MAX_CHARS or not key.startswith(PREFIX + "_"):
        return None
    _, key_id, *rest = key.split("_")
    return key_id if len(rest) == 1 else None


def digest_of(key: str, pepper: bytes) -> bytes:
    """The keyed hash of a whole key, 32 bytes."""
    return blake2b(key.encode("utf-8", "replace"), key=pepper, digest_size=DIGEST_BYTES).digest()
