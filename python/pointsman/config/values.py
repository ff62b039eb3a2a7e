"""Kinds of values in a config, with what makes one of them good."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, TypeAlias
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


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        host = (parts.hostname or "").encode("idna")
        is_good = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:
        return False
    return is_good and value.isprintable() and " " not in value


def _url(value: str) -> str:
    if not _is_http_url(value):
        raise PydanticCustomError("url", "not a URL")
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise wrong("holds a user name or password; take it out and use `api_key` or `headers`")
    if parts.query or parts.fragment:
        raise wrong("has a query or fragment; end it with the path, for example https://host/v1")
    if not parts.path.isascii():
        raise wrong("holds characters that are not ASCII in its path; percent-encode them")
    return value.rstrip("/")


def _proxy(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    url = value.get_secret_value()
    if url.lower().startswith("socks"):
        raise wrong("SOCKS proxies are not supported; give an http:// or https:// one")
    if not _is_http_url(url) or not url.isascii():
        raise PydanticCustomError("proxy", "not a proxy's URL")
    return value


def _stripped(value: Any) -> Any:
    # A key read from a file brings the end of its line along.
    return value.strip() or None if isinstance(value, str) else value


def _header_value(value: SecretStr | None) -> SecretStr | None:
    text = value.get_secret_value() if value else ""
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise PydanticCustomError("header_value", "not a header's value")
    return value


_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")
_FRAMING = frozenset({"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"})
_FRAMING |= {"transfer-encoding", "upgrade"}


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise wrong("is not a header's name; use letters, digits, '-' and '_'")
    if value.lower() in _FRAMING:
        raise wrong("is set by the transport, and another value breaks every request; remove it")
    return value


def _ca_file(value: str) -> str:
    # Here, because TLS takes milliseconds to import, and few configs name roots of their own.
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except (OSError, ValueError):
        raise PydanticCustomError("ca_file", "not a PEM file") from None
    return value


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
# What a price is, for errors.
PRICE = "a price from 0 to 1,000,000 in US dollars per 1M tokens"
Port = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=65535)]
Secret: TypeAlias = SecretStr | None
Key = Annotated[Secret, BeforeValidator(_stripped), AfterValidator(_header_value)]
Proxy = Annotated[Secret, BeforeValidator(_null_if_blank), AfterValidator(_proxy)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
CaFile = Annotated[str, AfterValidator(_ca_file)]
