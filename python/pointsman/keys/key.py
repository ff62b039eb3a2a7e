"""A key as a record: what it may do, and what proves it; never the secret itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.spend.window import Allowance
from pointsman.types import DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_TENANT = re.compile(r"[\x21-\x7e]{1,100}")
_MAX_RATE = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a key may do.

    Attributes:
        key_id: The part of it that is no secret; names it in logs, records and commands.
        digest: Keyed hash of its secret, 32 bytes.
        tenant: Whose it is: tenants see nothing of each other.
        name: What its owner calls it.
        models: Models it may use; `None`: all of the catalog.
        budgets: What its requests may cost.
        requests_per_min: Requests a minute; `None`: no limit.
        tokens_per_min: Tokens a minute, input and output; `None`: no limit.
        is_admin: Whether it also reads what belongs to no tenant: `/metrics`.
        created_at_s: Unix time of its making.
        expires_at_s: Unix time from which it is refused; `None`: never.
        revoked_at_s: Unix time at which it was revoked; `None`: it was not.
    """

    key_id: str
    digest: bytes
    tenant: str = DEFAULT_TENANT
    name: str = ""
    models: tuple[str, ...] | None = None
    budgets: tuple[Allowance, ...] = ()
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    is_admin: bool = False
    created_at_s: float = 0.0
    expires_at_s: float | None = None
    revoked_at_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The record in the keys file."""
        return {
            "id": self.key_id,
            "digest": self.digest.hex(),
            "tenant": self.tenant,
            "name": self.name,
            "models": None if self.models is None else list(self.models),
            "budgets": [budget.to_json() for budget in self.budgets],
            "requests_per_min": self.requests_per_min,
            "tokens_per_min": self.tokens_per_min,
            "is_admin": self.is_admin,
            "created_at_s": self.created_at_s,
            "expires_at_s": self.expires_at_s,
            "revoked_at_s": self.revoked_at_s,
        }

    @staticmethod
    def from_json(record: Any) -> Key:
        """The key of a record.

        Raises:
            ValueError: Says which field is wrong, the value seen and what it should be.
        """
        if not isinstance(record, dict):
            raise ValueError(f"a key must be an object, got {type(record).__name__}")
        unknown = sorted(record.keys() - _READERS.keys())
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r:.40}; known: {', '.join(_READERS)}")
        read = {name: _read(record, name) for name in _READERS}
        return Key(key_id=read.pop("id"), **read)


def checked_tenant(value: Any) -> str:
    """A tenant's name: 1 to 100 visible ASCII characters, without spaces, because it travels in records."""
    if not isinstance(value, str) or not _TENANT.fullmatch(value):
        raise ValueError(
            f"tenant must be 1 to 100 visible ASCII characters without spaces, got {value!r:.60}"
        )
    return value


def _read(record: Mapping[str, Any], name: str) -> Any:
    reader, default = _READERS[name]
    if record.get(name) is None:
        if default is ...:
            raise ValueError(f"a key lacks {name!r}")
        return default
    try:
        return reader(record[name])
    except ValueError as error:
        raise ValueError(f"key {record.get('id')!r:.40}: {name}: {error}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 200:
        raise ValueError(f"must be a string of at most 200 characters, got {type(value).__name__}")
    return value


def _key_id(value: Any) -> str:
    if not _text(value).isalnum() or not value.isascii():
        raise ValueError(f"must be letters and digits, got {value!r:.40}")
    return str(value)


def _digest(value: Any) -> bytes:
    digest = bytes.fromhex(_text(value))
    if len(digest) != 32:
        raise ValueError(f"must be 64 hex digits, got {len(digest) * 2}")
    return digest


def _models(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("must be null for all models, or a list with at least one name")
    return tuple(value)


def _budgets(value: Any) -> tuple[Allowance, ...]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list, got {type(value).__name__}")
    budgets = tuple(map(Allowance.from_json, value))
    if len({budget.window for budget in budgets}) < len(budgets):
        raise ValueError("two budgets have the same window; give one of them")
    return budgets


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{what} must be a number in [{low:g}, {high:g}], got {value!r:.40}")
    return float(value)


def _rate(value: Any) -> int:
    return int(_number(value, "it", 1, _MAX_RATE))


def _time_s(value: Any) -> float:
    return _number(value, "it", 0, 1e12)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {value!r:.40}")
    return value


# How each field of a record is read, and what it is when absent; `...`: it must be there.
_READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "id": (_key_id, ...),
    "digest": (_digest, ...),
    "tenant": (checked_tenant, DEFAULT_TENANT),
    "name": (_text, ""),
    "models": (_models, None),
    "budgets": (_budgets, ()),
    "requests_per_min": (_rate, None),
    "tokens_per_min": (_rate, None),
    "is_admin": (_flag, False),
    "created_at_s": (_time_s, 0.0),
    "expires_at_s": (_time_s, None),
    "revoked_at_s": (_time_s, None),
}
