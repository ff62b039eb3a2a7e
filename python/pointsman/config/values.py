"""Kinds of values in a config, with what makes one of them good."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

from pointsman.config.problems import suggest

COMPLEXITIES = ("lookup", "generation", "reasoning")
DOMAINS = ("code", "math", "legal", "medical", "finance", "science", "general")
QUALITY_KEYS = (
    "default",
    *DOMAINS,
    *COMPLEXITIES,
    *(f"{domain}/{complexity}" for domain in DOMAINS for complexity in COMPLEXITIES),
)
DEFAULT_QUALITY_TOLERANCE = {"lookup": 0.20, "generation": 0.10, "reasoning": 0.02}
"""How far below the best feasible quality the choice may lie, by complexity; chosen."""

MAX_USD_PER_MTOK = 1_000_000
MAX_TOKENS = 1_000_000_000
_NAME = re.compile(r"[\x21-\x7e]{1,200}")


def wrong(message: str) -> PydanticCustomError:
    """A validation error whose message is already written for the reader."""
    return PydanticCustomError("pointsman", "{message}", {"message": message})


def _no_bool(value: Any) -> Any:
    # Pydantic would take `true` for 1.
    if isinstance(value, bool):
        raise PydanticCustomError("number_type", "not a number")
    return value


def _name(value: str) -> str:
    # Names travel in HTTP headers, and `auto` is what callers say to leave the choice to us.
    if not _NAME.fullmatch(value):
        raise PydanticCustomError("name", "not a name")
    if value == "auto" or value.startswith("auto:"):
        raise wrong(f"{value!r} is reserved for routing (`model: auto`); choose another name")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or re.search(r"\s", value):
        raise PydanticCustomError("url", "not a URL")
    if "@" in parts.netloc:
        raise wrong("holds a user name or password; take it out and use `api_key` or `headers`")
    if parts.query or parts.fragment:
        raise wrong("has a query or fragment; end it with the path, for example https://host/v1")
    return value.rstrip("/")


def _price_usd_per_mtok(value: Decimal) -> Decimal:
    # By digits, because arithmetic on decimals rounds to 28 of them.
    _, digits, exponent = value.as_tuple()
    n_zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    if value and isinstance(exponent, int) and exponent + n_zeros < -9:
        raise wrong(f"{value} is finer than a nano-dollar; give at most 9 decimal places")
    return value


def _null_if_blank(value: Any) -> Any:
    return None if value == "" else value


def _quality_key(value: str) -> str:
    if value not in QUALITY_KEYS and not (value.startswith("task:") and _NAME.fullmatch(value[5:])):
        raise wrong(
            f"unknown key; {suggest(value, _keys_like(value), noun='keys')} (a task's quality is `task:NAME`)"
        )
    return value


def _keys_like(key: str) -> tuple[str, ...]:
    """Pairs are near to each other and to their parts; only a pair is taken for a misspelt pair."""
    return tuple(known for known in QUALITY_KEYS if ("/" in known) == ("/" in key))


Name = Annotated[str, AfterValidator(_name)]
Url = Annotated[str, AfterValidator(_url)]
Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, le=1)]
QualityKey = Annotated[str, AfterValidator(_quality_key)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(gt=0, le=MAX_TOKENS)]
Price = Annotated[
    Decimal,
    BeforeValidator(_no_bool),
    Field(ge=0, le=MAX_USD_PER_MTOK, allow_inf_nan=False),
    AfterValidator(_price_usd_per_mtok),
]
Port = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=65535)]
Secret = Annotated[SecretStr | None, BeforeValidator(_null_if_blank)]
