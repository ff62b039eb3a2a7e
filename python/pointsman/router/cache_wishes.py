"""What a request wishes of the cache: the `pointsman.cache` object, its headers, HTTP's `Cache-Control`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pointsman.errors import RequestError
from pointsman.router.fields import kind, label, nearest, number, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.types import CacheMode

CACHE_HEADERS = {
    "cache": "mode",
    "cache_mode": "mode",
    "cache_max_age_s": "max_age_s",
    "cache_scope": "scope",
}
"""Headers (without prefix, `_` for `-`) by the field of the `cache` object they stand for."""


def _scope(value: Any, param: str) -> str:
    """A label on one line: what stands before a line's end in a namespace is the tenant."""
    scope = label(value, param)
    if not scope.isprintable():
        raise RequestError(f"{param} must hold printable characters only", param=param)
    return scope


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "mode": one_of("read-write", "read", "write", "off"),
    "max_age_s": lambda value, param: number(value, param, 0),
    "scope": _scope,
}
_MAX_AGE = re.compile(r"max-age=\"?(\d{1,10})\"?")


@dataclass(frozen=True, slots=True)
class CacheWishes:
    """What the cache may do for one request.

    Attributes:
        reads: Whether a kept answer may serve.
        writes: Whether the answer may be kept.
        max_age_s: Oldest kept answer wanted, in seconds; `None`: any that has not expired.
        scope: Whose entries: requests of another scope never see them; `None`: the configured namespace.
    """

    reads: bool = True
    writes: bool = True
    max_age_s: float | None = None
    scope: str | None = None


NO_WISHES = CacheWishes()


def read_cache_field(name: str, value: Any, param: str) -> Any:
    """Check one field of the `cache` object."""
    return _READERS[name](value, param)


def read_cache(value: Any, param: str) -> dict[str, Any]:
    """Check the `cache` object; a word alone is its mode, fields that are null are left out."""
    if isinstance(value, str):
        value = {"mode": value}
    if not isinstance(value, dict):
        raise RequestError(f"{param} must be an object, got {kind(value)}", param=param)
    for name in value:
        if name not in _READERS:
            raise RequestError(
                f"unknown field {param}.{name}{nearest(name, _READERS)}", param=f"{param}.{name}"
            )
    return {
        name: read_cache_field(name, seen, f"{param}.{name}")
        for name, seen in value.items()
        if seen is not None
    }


def cache_wishes(allowed: CacheMode, asked: Mapping[str, Any] | None, cache_control: str) -> CacheWishes:
    """What policy, request and `Cache-Control` together permit: each can only narrow it.

    Args:
        allowed: The policy's mode.
        asked: The request's `cache` object, checked.
        cache_control: The header's value: `no-store` neither reads nor writes, `no-cache` does not read,
            `max-age` bounds the age; what else it says is for others.
    """
    if allowed == "read-write" and not asked and not cache_control:
        return NO_WISHES
    asked = asked or {}
    modes = (allowed, asked.get("mode", "read-write"))
    directives = cache_control.lower()
    may_store = "no-store" not in directives
    ages = [float(match[1])] if (match := _MAX_AGE.search(directives)) else []
    ages += [asked["max_age_s"]] if "max_age_s" in asked else []
    return CacheWishes(
        reads=all("read" in mode for mode in modes) and may_store and "no-cache" not in directives,
        writes=all("write" in mode for mode in modes) and may_store,
        max_age_s=min(ages, default=None),
        scope=asked.get("scope"),
    )
