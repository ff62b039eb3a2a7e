"""A request of Anthropic's Messages API as an OpenAI chat body."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.protocols.anthropic_requests import THOUGHT_FORMAT
from pointsman.protocols.fields import (
    a_string,
    an_object,
    invalid,
    marked,
    objects,
    refuse_unknown,
    refused,
    simplest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# Fields that mean the same on both sides, and ours.
_SAME = ("model", "stream", "temperature", "top_p", "top_k", "thinking", "cache_control")
_OURS = ("pointsman", "models", "provider")
_READ = (
    *_SAME,
    *_OURS,
    *("max_tokens", "messages", "system", "stop_sequences", "tools", "tool_choice", "metadata"),
    *("output_config", "service_tier", "context_management"),
)
_TOOL_EXTRAS = ("defer_loading", "input_examples", "eager_input_streaming", "allowed_callers")
"""What a tool of Anthropic's may say beyond OpenAI's; kept beside `function`."""
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_TIERS = {"auto": "auto", "standard_only": "default"}


def chat_of_messages(body: Any) -> dict[str, Any]:
    """Translate the body of `POST /v1/messages` into a chat body.

    Raises:
        RequestError: The body is not one, or asks for what chat completions have no concept of: server tools,
            files and containers of Anthropic's.
    """
    body = an_object(body, "body")
    refuse_unknown(body, _READ, "chat completions")
    _check_context_management(body.get("context_management"))
    chat = {name: body[name] for name in (*_SAME, *_OURS) if body.get(name) is not None}
    chat["messages"] = [*_system(body.get("system")), *_messages(body.get("messages"))]
    if body.get("max_tokens") is not None:
        chat["max_completion_tokens"] = body["max_tokens"]
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    if body.get("tools"):
        chat["tools"] = [
            _tool(tool, f"tools[{index}]") for index, tool in enumerate(objects(body["tools"], "tools"))
        ]
    chat |= _tool_choice(body.get("tool_choice"))
    if user := an_object(body.get("metadata") or {}, "metadata").get("user_id"):
        chat["user"] = user
    if tier := body.get("service_tier"):
        chat["service_tier"] = _TIERS.get(tier, tier)
    return chat | _output_config(an_object(body.get("output_config") or {}, "output_config"))


def _check_context_management(value: Any) -> None:
    """Clearing old thinking changes nothing here: models that cannot read it do not get it."""
    edits = an_object(value or {}, "context_management").get("edits") or []
    for index, edit in enumerate(objects(edits, "context_management.edits")):
        if not str(edit.get("type")).startswith("clear_thinking"):
            raise refused(
                f"context_management.edits[{index}]",
                "only Anthropic edits a conversation; shorten it before sending it",
            )


def _output_config(config: Mapping[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if config.get("effort") is not None:
        chat["reasoning_effort"] = config["effort"]
    if config.get("format") is not None:
        form = an_object(config["format"], "output_config.format")
        if form.get("type") != "json_schema":
            raise refused("output_config.format.type", "only json_schema is known")
        schema = {"name": "answer", "schema": form.get("schema"), "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    return chat


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):
        raise refused(
            f"{where}.type",
            "a tool that runs at Anthropic, not in your program; give tools with `input_schema`",
        )
    function: dict[str, Any] = {"name": a_string(tool.get("name"), f"{where}.name")}
    if tool.get("description") is not None:
        function["description"] = tool["description"]
    function["parameters"] = an_object(tool.get("input_schema"), f"{where}.input_schema")
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    extras = {name: tool[name] for name in _TOOL_EXTRAS if tool.get(name) is not None}
    return marked({"type": "function", "function": function, **extras}, tool)


def _tool_choice(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    choice = an_object(value, "tool_choice")
    kind = choice.get("type")
    chat: dict[str, Any] = {}
    if kind == "tool":
        name = a_string(choice.get("name"), "tool_choice.name")
        chat["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in _CHOICES:
        chat["tool_choice"] = _CHOICES[kind]
    else:
        raise invalid("tool_choice.type", "auto, any, tool or none", kind)
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False
    return chat


def _system(value: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": _parts(value, "system")}] if value else []


def _messages(value: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for index, message in enumerate(objects(value, "messages")):
        where = f"messages[{index}]"
        role, content = message.get("role"), message.get("content")
        if role == "assistant":
            found += _assistant(content, f"{where}.content")
        elif role == "user":
            found += _user(content, f"{where}.content")
        elif role == "system":
            found.append({"role": "system", "content": _parts(content, f"{where}.content")})
        else:
            raise invalid(f"{where}.role", "user, assistant or system", role)
    return found


def _blocks(content: Any, where: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else objects(content, where)


def _parts(content: Any, where: str) -> str | list[dict[str, Any]]:
    """Content without tool blocks as content of a chat message."""
    blocks = _blocks(content, where)
    return simplest([_part(block, f"{where}[{index}]") for index, block in enumerate(blocks)])


def _part(block: dict[str, Any], where: str) -> dict[str, Any]:
    kind = block.get("type")
    if kind == "text":
        return marked({"type": "text", "text": a_string(block.get("text"), f"{where}.text")}, block)
    if kind == "image":
        url = _image_url(an_object(block.get("source"), f"{where}.source"), f"{where}.source")
        return marked({"type": "image_url", "image_url": {"url": url}}, block)
    if kind == "document":
        return marked(_file(block, where), block)
    raise refused(f"{where}.type", f"a block of type {str(kind)[:40]!r} is known to Anthropic only")


def _image_url(source: dict[str, Any], where: str) -> str:
    kind = source.get("type")
    if kind == "url":
        return a_string(source.get("url"), f"{where}.url")
    if kind == "base64":
        data = a_string(source.get("data"), f"{where}.data")
        return f"data:{a_string(source.get('media_type'), f'{where}.media_type')};base64,{data}"
    raise refused(f"{where}.type", "a file kept at Anthropic; send it as base64 or by URL")


def _file(block: dict[str, Any], where: str) -> dict[str, Any]:
    """A document as a file part, whose `file_data` is a `data:` or other URL."""
    if an_object(block.get("citations") or {}, f"{where}.citations").get("enabled"):
        raise refused(f"{where}.citations", "chat completions cite no documents; disable it")
    source = an_object(block.get("source"), f"{where}.source")
    if source.get("type") == "text":
        text = a_string(source.get("data"), f"{where}.source.data").encode()
        url = f"data:text/plain;base64,{base64.b64encode(text).decode()}"
    else:
        url = _image_url(source, f"{where}.source")
    file = {"file_data": url}
    if block.get("title") is not None:
        file["filename"] = block["title"]
    part = {"type": "file", "file": file}
    if block.get("context") is not None:
        part["context"] = block["context"]
    return part


def _user(content: Any, where: str) -> list[dict[str, Any]]:
    """Results of tools as messages of their own, then the rest as one of the user."""
    results, parts = [], []
    for index, block in enumerate(_blocks(content, where)):
        at = f"{where}[{index}]"
        if block.get("type") == "tool_result":
            results.append(_tool_message(block, at))
        else:
            parts.append(_part(block, at))
    if parts or not results:
        results.append({"role": "user", "content": simplest(parts)})
    return results


def _tool_message(block: dict[str, Any], where: str) -> dict[str, Any]:
    content = _parts(block["content"], f"{where}.content") if block.get("content") else ""
    call = a_string(block.get("tool_use_id"), f"{where}.tool_use_id")
    message: dict[str, Any] = {"role": "tool", "tool_call_id": call, "content": content}
    if block.get("is_error"):
        message["is_error"] = True
    return marked(message, block)


def _assistant(content: Any, where: str) -> list[dict[str, Any]]:
    """One message, or several where it thinks again after it has spoken."""
    found: list[dict[str, Any]] = []
    turn = _Turn()
    for index, block in enumerate(_blocks(content, where)):
        at = f"{where}[{index}]"
        if block.get("type") in ("thinking", "redacted_thinking"):
            if turn.parts and not turn.calls:
                found.append(turn.message())
                turn = _Turn()
            turn.details.append(_detail(block, len(turn.details), at))
        elif block.get("type") == "tool_use":
            turn.calls.append(_call(block, at))
        else:
            turn.parts.append(_part(block, at))
    return [*found, turn.message()]


class _Turn:
    """What an assistant's message is made of."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.details: list[dict[str, Any]] = []

    def message(self) -> dict[str, Any]:
        content = simplest(self.parts) if self.parts else None
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if self.calls:
            message["tool_calls"] = self.calls
        elif content is None:
            message["content"] = ""
        if self.details:
            message["reasoning_details"] = self.details
        return message


def _call(block: dict[str, Any], where: str) -> dict[str, Any]:
    arguments = orjson.dumps(an_object(block.get("input"), f"{where}.input")).decode()
    function = {"name": a_string(block.get("name"), f"{where}.name"), "arguments": arguments}
    call = {"id": a_string(block.get("id"), f"{where}.id"), "type": "function", "function": function}
    return marked(call, block)


def _detail(block: dict[str, Any], index: int, where: str) -> dict[str, Any]:
    if block["type"] == "redacted_thinking":
        data = a_string(block.get("data"), f"{where}.data")
        return {"type": "reasoning.encrypted", "data": data, "index": index, "format": THOUGHT_FORMAT}
    text = a_string(block.get("thinking"), f"{where}.thinking")
    detail = {"type": "reasoning.text", "text": text, "index": index, "format": THOUGHT_FORMAT}
    return detail | ({"signature": block["signature"]} if block.get("signature") else {})
