"""The keys in use: one immutable snapshot, looked up by id."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from pointsman.errors import RequestError
from pointsman.keys.secret import digest_of, id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.keys.key import Key

# What an unknown id is compared with, so that it takes as long as a wrong secret.
_NO_DIGEST = bytes(32)


class Keyring:
    """Checks keys. Immutable and safe to share between threads; `check` takes some microseconds."""

    __slots__ = ("_by_id", "_pepper")

    def __init__(self, keys: Iterable[Key], pepper: bytes) -> None:
        """Make a keyring.

        Args:
            keys: The keys, revoked ones included.
            pepper: What their secrets were hashed with, at most 64 bytes.
        """
        self._by_id = {key.key_id: key for key in keys}
        self._pepper = pepper

    def __len__(self) -> int:
        return len(self._by_id)

    def n_usable(self, now_s: float) -> int:
        """How many would be let in now."""
        return sum(_refusal(key, now_s) is None for key in self._by_id.values())

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them, oldest first."""
        return tuple(sorted(self._by_id.values(), key=lambda key: (key.created_at_s, key.key_id)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keyring):
            return NotImplemented
        return self._by_id == other._by_id and self._pepper == other._pepper

    __hash__ = None  # type: ignore[assignment]

    def check(self, secret: str, now_s: float) -> Key:
        """The key that `secret` is.

        Args:
            secret: The whole key, as the caller sent it.
            now_s: Unix time, seconds.

        Raises:
            RequestError: 401; it is none of ours, expired, or revoked. Never shows it.
        """
        key = self._by_id.get(id_of(secret) or "")
        kept = key.digest if key else _NO_DIGEST
        if not hmac.compare_digest(kept, digest_of(secret, self._pepper)) or key is None:
            raise _refused(
                "caller_key_invalid", "the API key is not known here; check it, or ask for another"
            )
        if (refusal := _refusal(key, now_s)) is not None:
            raise _refused(*refusal)
        return key


def key_missing() -> RequestError:
    """The error of a request without a key."""
    return _refused(
        "caller_key_missing",
        "this gateway needs an API key; send `Authorization: Bearer KEY` (or `x-api-key: KEY`)",
    )


def _refusal(key: Key, now_s: float) -> tuple[str, str] | None:
    # Only who knows the secret is told more than that the key is not known.
    if key.revoked_at_s is not None:
        return "caller_key_revoked", f"the API key {key.key_id} was revoked; ask for another"
    if key.expires_at_s is not None and now_s >= key.expires_at_s:
        return "caller_key_expired", f"the API key {key.key_id} has expired; ask for another"
    return None


def _refused(code: str, message: str) -> RequestError:
    return RequestError(message, code=code, status=401)
