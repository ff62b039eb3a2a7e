"""An OpenAI chat body as a request of Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.protocols.fields import (
    a_string,
    an_object,
    data_url,
    decoded_text,
    invalid,
    json_object,
    marked,
    objects,
    refuse_unknown,
    refused,
    simplest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_MAX_TOKENS = 4096
"""Limit of an answer's tokens where neither caller nor catalog says one: Anthropic needs one; chosen."""

THOUGHT_FORMAT = "anthropic-claude-v1"
"""What OpenRouter calls the thoughts of Anthropic's models in `reasoning_details`."""

_SAME = ("temperature", "top_p", "top_k", "thinking", "cache_control", "stream")
_READ = (
    *_SAME,
    *("model", "messages", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice"),
    *("parallel_tool_calls", "response_format", "reasoning_effort", "user", "safety_identifier"),
)
# Labels, and hints that change no answer.
_LEFT_OUT = (
    *("metadata", "store", "stream_options", "service_tier", "prediction"),
    *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
)
# Values of parameters that say what is so anyway.
_NEUTRAL: Mapping[str, Any] = {
    "n": 1,
    "logprobs": False,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "modalities": ["text"],
    "logit_bias": {},
    "top_logprobs": 0,
}
_TOOL_EXTRAS = ("defer_loading", "input_examples", "eager_input_streaming", "allowed_callers")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_EFFORTS = {"minimal": "low"}
_TARGET = "Anthropic's Messages API"


def messages_of_chat(chat: Mapping[str, Any], max_output_tokens: int | None = None) -> dict[str, Any]:
    """Translate a chat body into the body of Anthropic's `POST /v1/messages`, without `model`.

    System messages, wherever they stand, become the `system` prompt; turns of one role that follow each other
    are merged; results of tools become blocks of the user's turn.

    Args:
        chat: The chat body.
        max_output_tokens: The most the model can write; the limit where the caller set none.

    Raises:
        RequestError: It asks for what Anthropic has no concept of (`n` > 1, `logprobs`, `json_object` ...).
    """
    known = (*_READ, *_LEFT_OUT, *(name for name, value in _NEUTRAL.items() if chat.get(name) == value))
    refuse_unknown(chat, known, _TARGET)
    if (chat.get("temperature") or 0) > 1:
        raise refused("temperature", f"{_TARGET} takes 0 to 1; give at most 1")
    body = {name: chat[name] for name in _SAME if chat.get(name) is not None}
    body["max_tokens"] = _max_tokens(chat, max_output_tokens)
    system, turns = _conversation(objects(chat.get("messages"), "messages"))
    if system:
        body["system"] = simplest(system)
    body["messages"] = turns
    if chat.get("stop") is not None:
        body["stop_sequences"] = [chat["stop"]] if isinstance(chat["stop"], str) else chat["stop"]
    if tools := objects(chat.get("tools") or [], "tools"):
        body["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    choice = _tool_choice(chat)
    if choice and (tools or choice["type"] not in ("auto", "none")):
        body["tool_choice"] = choice
    if user := chat.get("safety_identifier") or chat.get("user"):
        body["metadata"] = {"user_id": user}
    if config := _output_config(chat):
        body["output_config"] = config
    if chat.get("reasoning_effort") == "none":
        body.setdefault("thinking", {"type": "disabled"})
    return body


def _max_tokens(chat: Mapping[str, Any], max_output_tokens: int | None) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if chat.get(name) is not None:
            return int(chat[name])
    return max_output_tokens or DEFAULT_MAX_TOKENS


def _output_config(chat: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    effort = chat.get("reasoning_effort")
    if effort is not None and effort != "none":
        config["effort"] = _EFFORTS.get(effort, effort)
    form = an_object(chat.get("response_format") or {"type": "text"}, "response_format")
    if form.get("type") == "json_schema":
        schema = an_object(form.get("json_schema"), "response_format.json_schema").get("schema")
        where = "response_format.json_schema.schema"
        config["format"] = {"type": "json_schema", "schema": an_object(schema, where)}
    elif form.get("type") != "text":
        raise refused(
            "response_format",
            "Anthropic writes JSON by a schema only; give json_schema, not json_object",
        )
    return config


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise refused(f"{where}.type", f"{_TARGET} has function tools only")
    function = an_object(tool.get("function"), f"{where}.function")
    made: dict[str, Any] = {"name": a_string(function.get("name"), f"{where}.function.name")}
    if function.get("description") is not None:
        made["description"] = function["description"]
    made["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    if function.get("strict") is not None:
        made["strict"] = function["strict"]
    made |= {name: tool[name] for name in _TOOL_EXTRAS if tool.get(name) is not None}
    return marked(marked(made, function), tool)


def _tool_choice(chat: Mapping[str, Any]) -> dict[str, Any]:
    value = chat.get("tool_choice")
    choice: dict[str, Any] = {}
    if isinstance(value, str) and value in _CHOICES:
        choice["type"] = _CHOICES[value]
    elif isinstance(value, dict) and value.get("type") == "function":
        function = an_object(value.get("function"), "tool_choice.function")
        choice |= {"type": "tool", "name": a_string(function.get("name"), "tool_choice.function.name")}
    elif value is not None:
        raise refused("tool_choice", f"{_TARGET} knows auto, required, none and one function")
    if chat.get("parallel_tool_calls") is False and chat.get("tools") and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return choice


def _conversation(
    messages: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The blocks of the system prompt, and the turns with roles that alternate."""
    system: list[dict[str, Any]] = []
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role, blocks = _blocks(message, where)
        if role == "system":
            system += blocks
        elif not blocks:
            continue
        elif turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return system, [{"role": role, "content": simplest(blocks)} for role, blocks in turns]


def _blocks(message: dict[str, Any], where: str) -> tuple[str, list[dict[str, Any]]]:
    """The role a message has at Anthropic, and its blocks."""
    role = message.get("role")
    if role in ("system", "developer"):
        return "system", list(_content(message.get("content"), f"{where}.content"))
    if role == "user":
        return "user", list(_content(message.get("content"), f"{where}.content"))
    if role == "tool":
        return "user", [_tool_result(message, where)]
    if role == "assistant":
        return "assistant", list(_assistant(message, where))
    raise invalid(f"{where}.role", "system, developer, user, assistant or tool", role)


def _content(content: Any, where: str) -> Iterator[dict[str, Any]]:
    """Content as blocks; empty texts, which Anthropic refuses, are left out."""
    if content is None:
        return
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else objects(content, where)
    for index, part in enumerate(parts):
        block = _block(part, f"{where}[{index}]")
        if block.get("type") != "text" or block["text"]:
            yield marked(block, part)


def _block(part: dict[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return {"type": "text", "text": a_string(part.get(kind), f"{where}.{kind}")}
    if kind == "image_url":
        image = an_object(part.get("image_url"), f"{where}.image_url")
        url = a_string(image.get("url"), f"{where}.image_url.url")
        return {"type": "image", "source": _source(url, f"{where}.image_url.url")}
    if kind == "file":
        return _document(part, where)
    raise refused(f"{where}.type", f"{_TARGET} takes text, images and files, not {str(kind)[:40]!r}")


def _source(url: str, where: str) -> dict[str, Any]:
    if found := data_url(url, where):
        return {"type": "base64", "media_type": found[0], "data": found[1]}
    return {"type": "url", "url": url}


def _document(part: dict[str, Any], where: str) -> dict[str, Any]:
    file = an_object(part.get("file"), f"{where}.file")
    if file.get("file_data") is None:
        raise refused(f"{where}.file", "a file kept at OpenAI; send it as `file_data`")
    source = _source(a_string(file["file_data"], f"{where}.file.file_data"), f"{where}.file.file_data")
    if source.get("media_type") == "text/plain":
        text = decoded_text(source["data"], f"{where}.file.file_data")
        source = {"type": "text", "media_type": "text/plain", "data": text}
    block = {"type": "document", "source": source}
    if file.get("filename") is not None:
        block["title"] = file["filename"]
    if part.get("context") is not None:
        block["context"] = part["context"]
    return block


def _tool_result(message: dict[str, Any], where: str) -> dict[str, Any]:
    call = a_string(message.get("tool_call_id"), f"{where}.tool_call_id")
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call}
    if content := list(_content(message.get("content"), f"{where}.content")):
        block["content"] = simplest(content)
    if message.get("is_error"):
        block["is_error"] = True
    return marked(block, message)


def _assistant(message: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    details = objects(message.get("reasoning_details") or [], f"{where}.reasoning_details")
    for detail in details:
        # Without its signature Anthropic refuses a thought: it was another model's.
        if not str(detail.get("format") or THOUGHT_FORMAT).startswith("anthropic"):
            continue
        if detail.get("type") == "reasoning.text" and detail.get("signature"):
            yield {
                "type": "thinking",
                "thinking": detail.get("text") or "",
                "signature": detail["signature"],
            }
        elif detail.get("type") == "reasoning.encrypted" and detail.get("data"):
            yield {"type": "redacted_thinking", "data": detail["data"]}
    yield from _content(message.get("content"), f"{where}.content")
    yield from _content(message.get("refusal"), f"{where}.refusal")
    if message.get("function_call"):
        raise refused(f"{where}.function_call", "an old form; use tool_calls")
    for index, call in enumerate(objects(message.get("tool_calls") or [], f"{where}.tool_calls")):
        yield marked(_tool_use(call, f"{where}.tool_calls[{index}]"), call)


def _tool_use(call: dict[str, Any], where: str) -> dict[str, Any]:
    if call.get("type", "function") != "function":
        raise refused(f"{where}.type", f"{_TARGET} has calls of functions only")
    function = an_object(call.get("function"), f"{where}.function")
    arguments = a_string(function.get("arguments") or "", f"{where}.function.arguments")
    return {
        "type": "tool_use",
        "id": a_string(call.get("id"), f"{where}.id"),
        "name": a_string(function.get("name"), f"{where}.function.name"),
        "input": json_object(arguments, f"{where}.function.arguments"),
    }
