"""Anthropic's messages, and how their requests read as OpenAI's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.simulate.answers import Answer
    from pointsman.simulate.provider import Call
    from pointsman.simulate.wire.reply import UsageKind

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicDialect:
    """How Anthropic says it."""

    def whole(self, call: Call, said: Answer, usage: UsageKind) -> dict[str, Any]:
        """A `message`."""
        content: dict[str, Any] = {"type": "text", "text": said.text}
        if said.tool_call:
            content = {**_tool_use(call, said), "input": json.loads(said.text)}
        stop = {"stop_reason": _STOP_REASONS[said.finish_reason], "stop_sequence": None}
        body = _message(call) | {"content": [content], **stop}
        return body if usage == "none" else body | {"usage": _usage(call, len(said.pieces), usage)}

    def opening(self, call: Call, said: Answer) -> bytes:
        """`message_start`, the start of the one content block, and a `ping`."""
        message = _message(call) | {"usage": _usage(call, 1, "right")}
        block = {**_tool_use(call, said), "input": {}} if said.tool_call else {"type": "text", "text": ""}
        return (
            _event({"type": "message_start", "message": message})
            + _event({"type": "content_block_start", "index": 0, "content_block": block})
            + _event({"type": "ping"})
        )

    def token(self, call: Call, said: Answer, index: int) -> bytes:
        """A delta of the content block."""
        piece = said.pieces[index]
        delta = {"type": "text_delta", "text": piece}
        if said.tool_call:
            delta = {"type": "input_json_delta", "partial_json": piece}
        return _event({"type": "content_block_delta", "index": 0, "delta": delta})

    def closing(self, call: Call, said: Answer, usage: UsageKind, *, is_done: bool) -> bytes:
        """The block's end, the stop reason with the usage, `message_stop`."""
        stop = {"stop_reason": _STOP_REASONS[said.finish_reason], "stop_sequence": None}
        message_delta: dict[str, Any] = {"type": "message_delta", "delta": stop}
        if usage != "none":
            message_delta["usage"] = {"output_tokens": 0 if usage == "wrong" else len(said.pieces)}
        events = _event({"type": "content_block_stop", "index": 0}) + _event(message_delta)
        return events + _event({"type": "message_stop"}) if is_done else events

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Anthropic's error object."""
        return {"type": "error", "error": {"type": _TYPES.get(status, "api_error"), "message": message}}

    def error_event(self) -> bytes:
        """What an overloaded Anthropic sends in the middle of a stream."""
        return _event(self.error(529, "Overloaded"))


def as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """An Anthropic request as an OpenAI chat body, as far as answers depend on it."""
    chat: dict[str, Any] = {"messages": list(_messages(body)), "max_tokens": body.get("max_tokens")}
    tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
    if tools:
        chat["tools"] = [
            {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}}
            for tool in tools
        ]
    choice = body.get("tool_choice") or {}
    if choice.get("type") == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif choice.get("type") == "none":
        chat["tool_choice"] = "none"
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    if wanted.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": {"schema": wanted.get("schema")}}
    return chat


def _messages(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if body.get("system"):
        yield {"role": "system", "content": body["system"]}
    for message in body["messages"]:
        content = message["content"]
        blocks = content if isinstance(content, list) else []
        is_result = any(block.get("type") == "tool_result" for block in blocks)
        yield {"role": "tool" if is_result else message["role"], "content": content}


def _message(call: Call) -> dict[str, Any]:
    return {
        "id": f"msg_simulated_{call.provider}_{call.number}",
        "type": "message",
        "role": "assistant",
        "model": call.ask.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _tool_use(call: Call, said: Answer) -> dict[str, Any]:
    name = said.tool_call.name if said.tool_call else ""
    return {"type": "tool_use", "id": f"toolu_{call.provider}_{call.number}", "name": name}


def _usage(call: Call, n_output: int, kind: UsageKind) -> dict[str, Any]:
    n_input = call.ask.n_input_tokens
    return {
        "input_tokens": n_input,
        "output_tokens": 0 if kind == "wrong" else n_output,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": n_input + 1000 if kind == "wrong" else 0,
        "service_tier": "standard",
    }


def _event(document: Mapping[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(document["type"]).encode(), orjson.dumps(document))
