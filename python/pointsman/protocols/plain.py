"""A chat body in OpenAI's own words only, for servers that refuse any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.protocols.fields import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_BODY_FIELDS = frozenset({"cache_control", "thinking"})
_MESSAGE_FIELDS = frozenset(
    {"cache_control", "reasoning_content", "reasoning_details", "is_error", "extra_content"}
)
_PART_FIELDS = frozenset({"cache_control", "context"})
_TOOL_FIELDS = frozenset({"type", "function", "custom"})
_CALL_FIELDS = frozenset({"id", "type", "function", "custom"})
# Quoted, so that no text of a message holds them: there the quotes are escaped.
_MARKS = tuple(
    f'"{name}"'.encode() for name in sorted(_BODY_FIELDS | _MESSAGE_FIELDS | _PART_FIELDS | {"top_k"})
)
# Tokens to think with, at most, by the effort they stand for; chosen.
_EFFORTS = ((2048, "low"), (16384, "medium"))


def may_have_extensions(data: bytes) -> bool:
    """Whether a body, as JSON, may hold a field beyond OpenAI's; `False` is certain."""
    return any(mark in data for mark in _MARKS)


def plain_chat(chat: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what `pointsman.protocols` lists beyond OpenAI's fields, or say it in OpenAI's words.

    Prompt-cache markers go, as these servers cache by themselves; a budget of thinking becomes an effort.

    Raises:
        RequestError: `top_k`, which would change the answer.
    """
    if chat.get("top_k") is not None:
        raise refused("top_k", "OpenAI's protocol has nothing for it; drop it, or choose a model elsewhere")
    body = {name: value for name, value in chat.items() if name not in _BODY_FIELDS and name != "top_k"}
    effort = _effort(chat.get("thinking"))
    if effort is not None and body.get("reasoning_effort") is None:
        body["reasoning_effort"] = effort
    body["messages"] = [_message(message) for message in chat["messages"]]
    if chat.get("tools"):
        body["tools"] = [_tool(tool) for tool in chat["tools"]]
    return body


def _effort(thinking: Any) -> str | None:
    """The effort of Anthropic's `thinking`; of an adaptive or disabled one the server's default will do."""
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    if not isinstance(budget, int):
        return None
    return next((effort for limit, effort in _EFFORTS if budget <= limit), "high")


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = _without(message, _MESSAGE_FIELDS)
    if isinstance(plain.get("content"), list):
        plain["content"] = [_without(part, _PART_FIELDS) for part in plain["content"]]
    if isinstance(plain.get("tool_calls"), list):
        plain["tool_calls"] = [_only(call, _CALL_FIELDS) for call in plain["tool_calls"]]
    return plain


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = _only(tool, _TOOL_FIELDS)
    if isinstance(plain.get("function"), dict):
        plain["function"] = _without(plain["function"], _PART_FIELDS)
    return plain


def _without(value: Any, names: frozenset[str]) -> Any:
    return (
        {name: each for name, each in value.items() if name not in names}
        if isinstance(value, dict)
        else value
    )


def _only(value: Any, names: frozenset[str]) -> Any:
    return {name: each for name, each in value.items() if name in names} if isinstance(value, dict) else value
