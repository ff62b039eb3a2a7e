"""Reading what providers answer: usage, waits, limits, errors. Pure functions."""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson

from pointsman.errors import ProviderError
from pointsman.providers.transport import malformed
from pointsman.types import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman.providers.provider import ProviderSettings

_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_MAX_CHARS = 1000
"""Length at which a text of an upstream's error is clipped; ours in the gateway are no longer."""
_MAX_ENTRIES = 64
_MAX_DEPTH = 8
"""Bounds of an upstream's error object; those of OpenAI have four entries in one level."""
_MIN_SECRET_CHARS = 4
"""A header's value may be a word like `1` or `eu`; masking those would garble every message."""

_LIMIT_HEADERS = ("x-ratelimit-", "anthropic-ratelimit-")
_RETRY_HEADERS = ("retry-after", "retry-after-ms")

# Status -> (code, retryable). Another provider may do better where ours refuses the key or is out of credit.
_BY_STATUS = {
    401: ("provider_auth", True),
    402: ("provider_auth", True),
    403: ("provider_auth", True),
    404: ("provider_model_not_found", True),
    408: ("provider_unavailable", True),
    409: ("provider_unavailable", True),
    425: ("provider_unavailable", True),
    429: ("provider_rate_limited", True),
}


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers a caller may see: `[x|anthropic]-ratelimit-*`, `retry-after`, `retry-after-ms`."""
    return {
        name: value
        for name, value in headers.items()
        if name.startswith(_LIMIT_HEADERS) or name in _RETRY_HEADERS
    }


def retry_after_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Return how long the provider asks us to wait, seconds >= 0; `None` if it does not say.

    Reads `retry-after-ms`, then `retry-after` as seconds or as an HTTP date.

    Args:
        headers: Lower-case names.
        now_s: Unix time that a date is compared with; `None`: the clock's.
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            wait_s = float(value) * scale
        except ValueError:
            continue
        if math.isfinite(wait_s):
            return max(0.0, wait_s)
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, at.timestamp() - (time.time() if now_s is None else now_s))


_NO_DETAILS: Mapping[str, Any] = {}


def usage_of(body: Mapping[str, Any]) -> Usage | None:
    """Return the tokens an answer (or a stream's chunk) reports, `None` if it reports none.

    Output tokens include reasoning: where a provider leaves it out of `completion_tokens`, as xAI and
    Gemini do, `total_tokens` tells. A part reported larger than its whole is clamped: cached tokens to the
    input, cache-written ones to what is left of it, reasoning to the output.
    """
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    n_input = _count(usage.get("prompt_tokens"))
    n_output = _count(usage.get("completion_tokens"))
    if n_input is None and n_output is None:
        return None
    n_input, n_output = n_input or 0, n_output or 0
    n_total = _count(usage.get("total_tokens")) or 0
    of_input, of_output = (
        _details(usage, "prompt_tokens_details"),
        _details(usage, "completion_tokens_details"),
    )
    n_cached = _count(of_input.get("cached_tokens"))
    if n_cached is None:
        # DeepSeek's name for it.
        n_cached = _count(usage.get("prompt_cache_hit_tokens")) or 0
    n_cached = min(n_cached, n_input)
    n_output = max(n_output, n_total - n_input)
    n_reasoning = _count(of_output.get("reasoning_tokens"))
    # OpenRouter's and OpenAI's name for it, then Anthropic's.
    n_written = _count(of_input.get("cache_write_tokens")) or _count(of_input.get("cache_creation_tokens"))
    n_written = n_written or _count(usage.get("cache_creation_input_tokens")) or 0
    return Usage(
        n_input_tokens=n_input,
        n_cached_input_tokens=n_cached,
        n_cache_write_tokens=min(n_written, n_input - n_cached),
        n_output_tokens=n_output,
        n_reasoning_tokens=None if n_reasoning is None else min(n_reasoning, n_output),
    )


def _details(usage: Mapping[str, Any], group: str) -> Mapping[str, Any]:
    details = usage.get(group)
    return details if isinstance(details, dict) else _NO_DETAILS


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def parsed(provider: str, status: int, body: bytes) -> dict[str, Any]:
    """Return a 2xx answer's JSON object.

    Raises:
        ProviderError: `provider_malformed`: not JSON, or not an object.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        what = "an empty body" if not body.strip() else f"{len(body)} bytes that are not JSON"
        raise _malformed(provider, status, what) from None
    if not isinstance(document, dict):
        raise _malformed(provider, status, f"a JSON {type(document).__name__} instead of an object")
    return document


def checked_completion(
    provider: str, status: int, body: bytes, secrets: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a 2xx chat completion: an object with at least one choice that has a message.

    Raises:
        ProviderError: `provider_malformed`, or what an error object inside a 200 says.
    """
    document = parsed(provider, status, body)
    choices = document.get("choices")
    if not choices and document.get("error"):
        raise embedded_error(provider, document["error"], secrets)
    if not isinstance(choices, list) or not choices:
        raise _malformed(provider, status, "an object without `choices`")
    if not all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices):
        raise _malformed(provider, status, "a choice without a message object")
    return document


def checked_chunk(provider: str, payload: bytes, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """Return a chunk of a stream. Its choices, if it has any, are objects, and their deltas too.

    Raises:
        ProviderError: `provider_malformed`, or what an error event says.
    """
    try:
        chunk = orjson.loads(payload)
    except orjson.JSONDecodeError:
        chunk = None
    if not isinstance(chunk, dict):
        raise malformed(provider, "an event of the stream is not a JSON object", status=200)
    choices = chunk.get("choices")
    if not choices:
        if chunk.get("error"):
            raise embedded_error(provider, chunk["error"], secrets)
        choices = []
    if not isinstance(choices, list) or not all(map(_is_choice, choices)):
        raise malformed(provider, "an event of the stream has `choices` that are not choices", status=200)
    return chunk


def _is_choice(choice: object) -> bool:
    # A null delta is what some servers send with the finish reason.
    return isinstance(choice, dict) and isinstance(choice.get("delta") or {}, dict)


def embedded_error(provider: str, error: object, secrets: Sequence[str] = ()) -> ProviderError:
    """The error that came where an answer was due: inside a 200, or as a stream's event."""
    error = fit_to_show(error, secrets)
    status = error.get("code", error.get("status")) if isinstance(error, dict) else None
    if isinstance(status, str) and status.isdecimal():
        status = int(status)
    if not isinstance(status, int) or not 400 <= status <= 599:
        kind = _kind(error)
        status = 429 if kind and "rate_limit" in kind else 503
    code, retryable = _classified(status)
    return ProviderError(
        f"provider {provider!r} sent an error instead of an answer{_named(error)}",
        provider=provider,
        code=code,
        status=status,
        retryable=retryable,
        body=error if isinstance(error, dict) and not retryable else None,
    )


def secrets_of(settings: ProviderSettings) -> tuple[str, ...]:
    """What of a provider's settings nobody may see, longest first: key, headers, the proxy's credentials."""
    values = [settings.api_key or "", *settings.headers.values()]
    found = {part for value in values for part in (value, value.rpartition(" ")[2])}
    if settings.proxy:
        found |= {settings.proxy, urlsplit(settings.proxy).password or ""}
    found |= {unquote(value) for value in found}
    return tuple(sorted((value for value in found if len(value) >= _MIN_SECRET_CHARS), key=len, reverse=True))


def fit_to_show(value: Any, secrets: Sequence[str], depth: int = _MAX_DEPTH) -> Any:
    """Return what upstream said with secrets masked, texts clipped and containers cut, keys included."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "***")
        return value if len(value) <= _MAX_CHARS else value[:_MAX_CHARS] + "..."
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return "..."
    if isinstance(value, list):
        return [fit_to_show(item, secrets, depth - 1) for item in value[:_MAX_ENTRIES]]
    return {
        fit_to_show(key, secrets): fit_to_show(item, secrets, depth - 1)
        for key, item in islice(value.items(), _MAX_ENTRIES)
    }


def error_of(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str] = ()
) -> ProviderError:
    """The error that an answer with a status other than 2xx stands for.

    The message holds the status and the upstream's error type, never its text: providers quote keys and
    prompts in it. The error object is passed on only where the caller is at fault, `fit_to_show`.
    """
    code, retryable = _classified(status)
    try:
        document = fit_to_show(orjson.loads(body), secrets)
    except orjson.JSONDecodeError:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(document, dict) and error is None and not retryable:
        error = document
    return ProviderError(
        f"provider {provider!r} answered {status}{_named(error)}{_REMEDY.get(code, '')}",
        provider=provider,
        code=code,
        status=status,
        retryable=retryable,
        retry_after_s=retry_after_s(headers) if retryable else None,
        headers=passed_on(headers),
        body=error if isinstance(error, dict) and not retryable else None,
    )


_REMEDY = {
    "provider_auth": "; check the provider's api_key, its rights and its credit",
    "provider_model_not_found": "; check base_url and the deployment's upstream_model",
    "provider_malformed": "; check base_url",
}


def _classified(status: int) -> tuple[str, bool]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "provider_unavailable", True
    if status >= 400:
        return "provider_rejected", False
    # A redirect, or a success that is no answer: base_url leads elsewhere.
    return "provider_malformed", True


def _kind(error: object) -> str | None:
    """An error object's type or code, if it is a plain word."""
    if isinstance(error, dict):
        for name in ("code", "type"):
            value = error.get(name)
            if isinstance(value, str) and _TOKEN.fullmatch(value):
                return value
    return None


def _named(error: object) -> str:
    kind = _kind(error)
    return f" ({kind})" if kind else ""


def _malformed(provider: str, status: int, what: str) -> ProviderError:
    return ProviderError(
        f"provider {provider!r} answered {status} with {what}; check base_url",
        provider=provider,
        code="provider_malformed",
        status=status,
    )
