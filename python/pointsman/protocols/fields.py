"""Reading foreign bodies: each function returns what it found, or refuses the parameter by its path."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "nothing"}


def refused(param: str, reason: str) -> RequestError:
    """The error that a parameter cannot be translated; the message starts with its path."""
    return RequestError(f"{param}: {reason}", code="caller_unsupported_parameter", param=param)


def invalid(param: str, wanted: str, seen: Any) -> RequestError:
    """The error that a parameter is of the wrong kind; shows the kind seen, never the value."""
    return RequestError(f"{param} must be {wanted}, got {kind_of(seen)}", param=param)


def kind_of(value: Any) -> str:
    """The kind of a JSON value, for an error."""
    return _KINDS.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def an_object(value: Any, param: str) -> dict[str, Any]:
    """Read an object."""
    if not isinstance(value, dict):
        raise invalid(param, "an object", value)
    return value


def objects(value: Any, param: str) -> list[dict[str, Any]]:
    """Read a list of objects."""
    if not isinstance(value, list):
        raise invalid(param, "a list of objects", value)
    for index, item in enumerate(value):
        an_object(item, f"{param}[{index}]")
    return value


def a_string(value: Any, param: str) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise invalid(param, "a string", value)
    return value


def json_object(text: str, param: str) -> dict[str, Any]:
    """Read the JSON object that a string holds; an empty string holds an empty one."""
    try:
        value = orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        raise invalid(param, "a JSON object in a string", "not JSON") from None
    return an_object(value, param)


def data_url(url: str, param: str) -> tuple[str, str] | None:
    """The media type and base64 payload of a `data:` URL; `None` for any other URL."""
    if not url.startswith("data:"):
        return None
    head = _DATA_URL.match(url)
    if head is None:
        raise refused(
            param, "a data: URL that is not base64 with a media type; write data:image/png;base64,..."
        )
    return head[1] or "application/octet-stream", url[head.end() :]


def decoded_text(payload: str, param: str) -> str:
    """The UTF-8 text of a base64 payload."""
    try:
        return base64.b64decode(payload, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise refused(param, "not UTF-8 text in base64; send a PDF, or text") from None


def refuse_unknown(body: Mapping[str, Any], known: Iterable[str], target: str) -> None:
    """Refuse the first field that is neither null nor known: nobody says what it would do."""
    for name in body.keys() - set(known):
        if body[name] is not None:
            raise refused(name, f"{target} has nothing for it; drop it, or choose a model elsewhere")


def marked(value: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """`value` with the prompt-cache marker of `source`, if it has one."""
    if marker := source.get("cache_control"):
        value["cache_control"] = marker
    return value


def simplest(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A single text without a marker as a string, which every server reads; anything else as it is."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"} and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts
