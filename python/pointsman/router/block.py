"""What pointsman adds to a chat request: the `pointsman` block, its headers, and OpenRouter's `provider`."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pointsman.errors import RequestError
from pointsman.router.cache_wishes import CACHE_HEADERS, read_cache, read_cache_field
from pointsman.router.fields import duration_s, flag, kind, label, names, nearest, number, one_of, tags
from pointsman.types import DIAL_FIELDS, NO_PREFERENCES, Constraints, ProviderPreferences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.registry import Policy


_BLOCK_READERS: dict[str, Callable[[Any, str], Any]] = {
    "task": label,
    "max_cost_usd": lambda value, param: number(value, param, 0),
    "max_latency_ms": lambda value, param: number(value, param, 0),
    "max_ttft_ms": lambda value, param: number(value, param, 0),
    "min_quality": lambda value, param: number(value, param, 0, 1),
    "quality_like": label,
    "within_best": lambda value, param: number(value, param, 0, 1),
    "quality_value_usd": lambda value, param: number(value, param, 0, 1e9),
    "latency_value_usd_per_s": lambda value, param: number(value, param, 0, 1e6),
    "strategy": one_of("auto", "direct", "cascade", "race", "batch"),
    "deadline": duration_s,
    "session_id": label,
    "cache": read_cache,
    "tags": tags,
    "explain": flag,
}
BLOCK_FIELDS = tuple(_BLOCK_READERS)
_RENAMED = {"deadline": "deadline_s"}
_CONSTRAINT_FIELDS = frozenset(field.name for field in fields(Constraints))


def read_block(block: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """The block's fields, read and checked; the body wins over a header of the same name."""
    if block is None:
        block = {}
    if not isinstance(block, dict):
        raise RequestError(f"pointsman must be an object, got {kind(block)}", param="pointsman")
    seen: dict[str, Any] = {}
    for header, value in headers.items():
        name = header.replace("-", "_")
        if field := CACHE_HEADERS.get(name):
            wished = read_cache_field(field, value, f"x-pointsman-{header}")
            seen["cache"] = {**seen.get("cache", {}), field: wished}
            continue
        if name not in _BLOCK_READERS:
            known = [each.replace("_", "-") for each in (*BLOCK_FIELDS, *CACHE_HEADERS)]
            raise RequestError(
                f"unknown header x-pointsman-{header}{nearest(header, known, prefix='x-pointsman-')}",
                param=f"x-pointsman-{header}",
            )
        seen[name] = _BLOCK_READERS[name](value, f"x-pointsman-{header}")
    for name, value in block.items():
        if name not in _BLOCK_READERS:
            raise RequestError(
                f"unknown field pointsman.{name}{nearest(name, BLOCK_FIELDS)}", param=f"pointsman.{name}"
            )
        if value is not None:
            read = _BLOCK_READERS[name](value, f"pointsman.{name}")
            seen[name] = {**seen.get("cache", {}), **read} if name == "cache" else read
    turned = [name for name in DIAL_FIELDS if name in seen]
    if len(turned) > 1:
        raise RequestError(
            f"{' and '.join(turned)} both say how quality trades for money; give one",
            param=f"pointsman.{turned[1]}",
        )
    return seen


def constrained(policy: Policy, block: dict[str, Any]) -> Constraints:
    """The policy's constraints with what the request itself says put over them."""
    base = policy.constraints
    changes = {
        _RENAMED.get(name, name): value
        for name, value in block.items()
        if _RENAMED.get(name, name) in _CONSTRAINT_FIELDS
    }
    if turned := [name for name in DIAL_FIELDS if name in changes]:
        if base.budget_price is not None:
            raise RequestError(
                f"pointsman.{turned[0]} would undo the policy's budget; drop it, or use another policy",
                param=f"pointsman.{turned[0]}",
            )
        # The dial as a whole is the request's: what the policy says of it does not stand beside it.
        changes = dict.fromkeys(DIAL_FIELDS) | changes
    elif policy.is_tolerance_default and {"min_quality", "quality_like"} & changes.keys():
        changes["quality_tolerance"] = None
    return replace(base, **changes) if changes else base


def read_preferences(value: Any, base: ProviderPreferences) -> ProviderPreferences:
    """The policy's preferences with the request's `provider` object put over them."""
    if value is None:
        return base
    if not isinstance(value, dict):
        raise RequestError(f"provider must be an object, got {kind(value)}", param="provider")
    changes: dict[str, Any] = {}
    for name, seen in value.items():
        if name not in _PREFERENCE_READERS:
            raise RequestError(
                f"unknown field provider.{name}{nearest(name, _PREFERENCE_READERS)}", param=f"provider.{name}"
            )
        if seen is not None:
            changes.update(_PREFERENCE_READERS[name](seen, f"provider.{name}"))
    return replace(base, **changes) if base is not NO_PREFERENCES else ProviderPreferences(**changes)


def _max_price(value: Any, param: str) -> dict[str, float]:
    names = {"prompt": "max_input_price_usd_per_mtok", "completion": "max_output_price_usd_per_mtok"}
    if not isinstance(value, dict):
        raise RequestError(
            f"{param} must be an object with prompt and completion, got {kind(value)}", param=param
        )
    for name in value:
        if name not in names:
            raise RequestError(f"unknown field {param}.{name}{nearest(name, names)}", param=f"{param}.{name}")
    return {names[name]: number(seen, f"{param}.{name}", 0) for name, seen in value.items()}


_PREFERENCE_READERS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "order": lambda value, param: {"order": names(value, param) or ()},
    "only": lambda value, param: {"only": names(value, param)},
    "ignore": lambda value, param: {"ignore": names(value, param) or ()},
    "allow_fallbacks": lambda value, param: {"allow_fallbacks": flag(value, param)},
    "require_parameters": lambda value, param: {"require_parameters": flag(value, param)},
    "data_collection": lambda value, param: {"data_collection": one_of("allow", "deny")(value, param)},
    "sort": lambda value, param: {"sort": one_of("price", "throughput", "latency")(value, param)},
    "max_price": _max_price,
}
