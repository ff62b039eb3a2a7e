"""What makes two requests the same question: a partition for all but the last user text, and that text.

Whatever changes the answer is in the partition. A field that is not known here counts as one that does, so a
parameter that a provider adds tomorrow makes a miss and not a wrong answer.
"""

from __future__ import annotations

from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.types import Request

PARTITION_BYTES = 16
"""Length of a partition's fingerprint."""

# Fields of a chat body that say how an answer travels, who asked or what is kept of it; not what it says.
_SILENT_FIELDS = frozenset(
    "messages metadata pointsman prompt_cache_key prompt_cache_retention safety_identifier service_tier "
    "store stream stream_options user".split()
)
# Constraints that choose how good the answering model must be; those of time and money do not part questions.
_quality_constraints = attrgetter(
    "task", "min_quality", "quality_like", "quality_tolerance", "within_best", "quality_value_usd"
)
_IN_ORDER = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
# Above it a caller asks for variety; 1 is what providers take when nothing is said.
_MAX_TEMPERATURE = 1.0


class Question(NamedTuple):
    """A request as the cache sees it.

    Attributes:
        partition: Fingerprint of all that changes the answer but the last user text, 16 bytes.
        text: The last user text.
    """

    partition: bytes
    text: str


def read_question(body: Mapping[str, Any], request: Request, scope: str) -> Question | str:
    """The question of a chat request, or the name of the rule by which it is never served from the cache.

    Args:
        body: OpenAI chat body, `model` as the caller wrote it.
        request: What it says with its policy: who may answer, and how well.
        scope: Whose cache it is: tenant, then the caller's own scope; another scope never sees the entry.
    """
    for name, is_broken in _RULES:
        if is_broken(body):
            return name
    try:
        partition = _partition(body, request, scope)
    except TypeError:  # what is not JSON, such as a lone surrogate or an integer of 65 bits
        return "unreadable"
    return Question(partition, _text(body["messages"][-1]))


def _partition(body: Mapping[str, Any], request: Request, scope: str) -> bytes:
    *earlier, last = body["messages"]
    identity = (
        scope,
        earlier,
        {name: value for name, value in last.items() if name != "content"},
        {name: value for name, value in body.items() if name not in _SILENT_FIELDS},
        _quality_constraints(request.constraints),
        _allowed(request),
        request.preferences,
    )
    # Keys in any order mean the same; a cryptographic hash, so that no tenant can aim at another's partition.
    packed = orjson.dumps(identity, option=_IN_ORDER)
    return blake2b(packed, digest_size=PARTITION_BYTES).digest()


def _allowed(request: Request) -> Any:
    """Models that may answer, and those the caller may use: answers of others are not theirs."""
    if request.permitted_models is None:
        return request.allowed_models
    return request.allowed_models, sorted(request.permitted_models)


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content)


def _is_text_part(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _has_parts_that_are_not_text(body: Mapping[str, Any]) -> bool:
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list) and not all(map(_is_text_part, content)):
            return True
    return False


def _ends_without_user_text(body: Mapping[str, Any]) -> bool:
    last = body["messages"][-1]
    content = last.get("content")
    return last.get("role") != "user" or not isinstance(content, str | list) or not content


def _has_tool_results(body: Mapping[str, Any]) -> bool:
    return any(message.get("role") in ("tool", "function") for message in body["messages"])


def _asks_for_variety(body: Mapping[str, Any]) -> bool:
    temperature = body.get("temperature")
    return isinstance(temperature, int | float) and temperature > _MAX_TEMPERATURE


def _asks_for_several(body: Mapping[str, Any]) -> bool:
    return (body.get("n") or 1) != 1


def _looks_something_up(body: Mapping[str, Any]) -> bool:
    return body.get("web_search_options") is not None


def _speaks(body: Mapping[str, Any]) -> bool:
    return body.get("audio") is not None or "audio" in (body.get("modalities") or ())


NEVER_SERVED: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "no_user_text": _ends_without_user_text,
    "attachments": _has_parts_that_are_not_text,
    "tool_results": _has_tool_results,
    "temperature": _asks_for_variety,
    "several_answers": _asks_for_several,
    "web_search": _looks_something_up,
    "audio": _speaks,
}
"""Rules by which a request is never served from the cache nor stored in it, by name; checked in this order.

A body that is not JSON is not served either (`unreadable`). What the text itself rules out (time-sensitive
wording, wishes for another answer, personal data) the core sees: `pointsman._native.Miss.reason` is
`unservable` then.
"""
_RULES = tuple(NEVER_SERVED.items())
