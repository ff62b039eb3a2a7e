"""Readers of single values: each returns the checked value or raises a `RequestError` for its parameter."""

from __future__ import annotations

import contextlib
import difflib
import math
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

from pointsman.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def boolean(body: dict[str, Any], name: str) -> bool:
    """Read `body[name]` as a boolean; absent is false."""
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false, got {kind(value)}", param=name)
    return value


def integer(body: dict[str, Any], name: str, *, at_least: int) -> int | None:
    """Read `body[name]` as an integer of 31 bits, or `None` where absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value < 2**31:
        raise RequestError(f"{name} must be an integer >= {at_least}, got {kind(value)}", param=name)
    return value


def mapping(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Read `body[name]` as an object, or `None` where absent."""
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise RequestError(f"{name} must be an object, got {kind(value)}", param=name)
    return value


def mappings(body: dict[str, Any], name: str) -> list[dict[str, Any]] | None:
    """Read `body[name]` as a list of objects, or `None` where absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise RequestError(f"{name} must be a list of objects, got {kind(value)}", param=name)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise RequestError(
                f"{name}[{index}] must be an object, got {kind(item)}", param=f"{name}[{index}]"
            )
    return value


def names(value: Any, param: str) -> tuple[str, ...] | None:
    """Read a list of names; a single name is a list of one, `None` stays."""
    if value is None:
        return None
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise RequestError(f"{param} must be a list of names, got {kind(value)}", param=param)
    return tuple(value)


def number(value: Any, param: str, low: float, high: float = math.inf) -> float:
    """Read a finite number in [low, high]; a header's string will do."""
    seen = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers have no bounds in Python, floats have.
    if not is_number or not low <= value <= min(high, sys.float_info.max):
        bounds = f"a number >= {low:g}" if high == math.inf else f"a number in [{low:g}, {high:g}]"
        raise RequestError(f"{param} must be {bounds}, got {kind(seen)}", param=param)
    return float(value)


def duration_s(value: Any, param: str) -> float:
    """Read a duration ("90s", "15m", "24h", or seconds) in seconds."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        return float(match[1]) * _SECONDS_PER_UNIT[match[2]]
    try:
        return number(value, param, 0)
    except RequestError:
        raise RequestError(
            f'{param} must be a duration such as "30s", "15m" or "24h", or seconds, got {kind(value)}',
            param=param,
        ) from None


def label(value: Any, param: str) -> str:
    """Read a non-empty string of at most 256 characters."""
    if not isinstance(value, str) or not value or len(value) > 256:
        raise RequestError(
            f"{param} must be a non-empty string of at most 256 characters, got {kind(value)}", param=param
        )
    return value


def one_of(*allowed: str) -> Callable[[Any, str], str]:
    """Make a reader of one of the allowed words."""

    def read(value: Any, param: str) -> str:
        if value not in allowed:
            near = nearest(value, allowed) if isinstance(value, str) else ""
            raise RequestError(
                f"{param} must be one of {', '.join(allowed)}, got {kind(value)}{near}", param=param
            )
        return str(value)

    return read


def tags(value: Any, param: str) -> tuple[str, ...]:
    """Read a list of tags; a header's string is split at commas."""
    if isinstance(value, str):
        value = [tag.strip() for tag in value.split(",") if tag.strip()]
    return names(value, param) or ()


def flag(value: Any, param: str) -> bool:
    """Read a boolean; a header's "true", "false", "1" or "0" will do."""
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    if not isinstance(value, bool):
        raise RequestError(f"{param} must be true or false, got {kind(value)}", param=param)
    return value


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Words that end an error about an unknown name: the nearest known one, or the few that are known."""
    known = list(known)
    near = difflib.get_close_matches(name[:100], known, n=1)  # quadratic in the name's length
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    return f"; known: {', '.join(prefix + each for each in sorted(known))}" if len(known) <= 16 else ""


def kind(value: Any, *, is_prompt: bool = False) -> str:
    """Show a value in an error: short scalars as they are, the rest, and anything of a prompt, by kind."""
    if value is None:
        return "nothing"
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else f"{value!r:.40}"
    if isinstance(value, str):
        is_shown = len(value) <= 40 and not is_prompt
        return f"the string {value!r}" if is_shown else f"a string of {len(value)} characters"
    names: dict[type, Literal["an object", "a list"]] = {dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)
