"""Reading rate-limit headers: how much there is, what is left, when it is back. Pure functions.

OpenAI and those that copy it send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` with resets like
`6m0s`; Anthropic `anthropic-ratelimit-{requests,tokens,input-tokens}-{limit,remaining,reset}` with RFC 3339
times.
"""

from __future__ import annotations

import math
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

LimitNews = tuple[float | None, float | None, float | None]
"""(limit, remaining, seconds until all are back); `None`: not said."""

_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
_SAID = ("limit", "remaining", "reset")
_NAMES = {
    kind: (
        tuple(f"x-ratelimit-{said}-{kind}" for said in _SAID),
        tuple(f"anthropic-ratelimit-{kind}-{said}" for said in _SAID),
        tuple(f"anthropic-ratelimit-input-{kind}-{said}" for said in _SAID),
    )
    for kind in ("requests", "tokens")
}
_NOTHING: LimitNews = (None, None, None)
_UNITS_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_EPOCH_S = 1e9
"""A plain number above this is a Unix time and no duration."""
_MAX = 1e15


def has_limits(headers: Mapping[str, str]) -> bool:
    """Whether any header is about rate limits; lower-case names."""
    return any(name.startswith(_PREFIXES) for name in headers)


def limit_news(
    headers: Mapping[str, str], kind: Literal["requests", "tokens"], now_s: float | None = None
) -> LimitNews:
    """Return what headers say of the limit of requests or tokens.

    Args:
        headers: Lower-case names.
        kind: Which limit.
        now_s: Unix time that a reset is compared with; `None`: the clock's.
    """
    for limit_name, remaining_name, reset_name in _NAMES[kind]:
        if limit_name not in headers and remaining_name not in headers:
            continue
        limit, remaining = _number(headers.get(limit_name)), _number(headers.get(remaining_name))
        if limit is not None or remaining is not None:
            now_s = time.time() if now_s is None else now_s
            return limit, remaining, reset_s(headers.get(reset_name), now_s)
    return _NOTHING


def reset_s(value: str | None, now_s: float) -> float | None:
    """Return the seconds until a reset, >= 0: of `6m0s`, `12ms`, `1.5`, a Unix or an RFC 3339 time.

    Examples:
        >>> reset_s("1m30.5s", 0.0), reset_s("20ms", 0.0), reset_s("soon", 0.0)
        (90.5, 0.02, None)
    """
    if value is None:
        return None
    number = _number(value)
    if number is not None:
        return max(0.0, number - now_s) if number > _EPOCH_S else number
    parts = _PART.findall(value)
    if parts and "".join(amount + unit for amount, unit in parts) == value:
        return sum(float(amount) * _UNITS_S[unit] for amount, unit in parts)
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - now_s) if at.tzinfo else None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) and 0 <= number <= _MAX else None
