"""A request of OpenAI's Responses API as an OpenAI chat body."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

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
    from collections.abc import Callable, Mapping

_SAME = (
    *("model", "stream", "temperature", "top_p", "top_logprobs", "parallel_tool_calls", "user", "metadata"),
    *("safety_identifier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
    *("service_tier", "store", "pointsman", "models", "provider"),
)
_READ = (
    *_SAME,
    *("input", "instructions", "tools", "tool_choice", "text", "reasoning", "max_output_tokens", "include"),
    *("truncation", "stream_options", "max_tool_calls", "background"),
)
_STORED = {
    "previous_response_id": "answers are not kept here; send the conversation in `input`",
    "conversation": "conversations are not kept here; send the conversation in `input`",
    "prompt": "prompt templates are kept at OpenAI; send their text in `input`",
}
_INCLUDABLE = ("reasoning.encrypted_content", "message.output_text.logprobs")
SEALED = "pointsman-thoughts:"
"""Start of `encrypted_content` that holds what a model thought, with its provider's signature."""
_ROLES = ("user", "assistant", "system", "developer")


def chat_of_responses(body: Any) -> dict[str, Any]:
    """Translate the body of `POST /v1/responses` into a chat body.

    `store` is accepted, as OpenAI's clients send it, and has no effect: nothing is kept.

    Raises:
        RequestError: The body is not one, or asks for what needs a store of conversations or runs at OpenAI.
    """
    body = an_object(body, "body")
    for name, remedy in _STORED.items():
        if body.get(name) is not None:
            raise refused(name, remedy)
    if body.get("background"):
        raise refused(
            "background", "answers are not kept here to be fetched later; wait for it, or stream it"
        )
    if body.get("truncation") not in (None, "disabled"):
        raise refused("truncation", "conversations are not shortened here; send a shorter `input`")
    refuse_unknown(body, _READ, "chat completions")
    chat = {name: body[name] for name in _SAME if body.get(name) is not None}
    chat["messages"] = _messages(body)
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    if body.get("tools"):
        tools = objects(body["tools"], "tools")
        chat["tools"] = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
    if body.get("tool_choice") is not None and (body.get("tools") or body["tool_choice"] == "required"):
        chat["tool_choice"] = _tool_choice(body["tool_choice"])
    if "tools" not in chat:
        chat.pop("parallel_tool_calls", None)
    if (effort := an_object(body.get("reasoning") or {}, "reasoning").get("effort")) is not None:
        chat["reasoning_effort"] = effort
    if body.get("top_logprobs") or _includes(body, "message.output_text.logprobs"):
        chat["logprobs"] = True
    return chat | _text(an_object(body.get("text") or {}, "text"))


def _includes(body: Mapping[str, Any], wanted: str) -> bool:
    included = body.get("include") or []
    for index, name in enumerate(included):
        if name not in _INCLUDABLE:
            raise refused(f"include[{index}]", f"known here: {', '.join(_INCLUDABLE)}")
    return wanted in included


def _text(text: Mapping[str, Any]) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    if text.get("verbosity") is not None:
        chat["verbosity"] = text["verbosity"]
    form = an_object(text.get("format") or {"type": "text"}, "text.format")
    if form.get("type") == "json_schema":
        names = ("name", "description", "schema", "strict")
        schema = {name: form[name] for name in names if form.get(name) is not None}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif form.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    elif form.get("type") != "text":
        raise invalid("text.format.type", "text, json_object or json_schema", form.get("type"))
    return chat


def _tool(tool: dict[str, Any], where: str) -> dict[str, Any]:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise refused(f"{where}.type", f"{str(kind)[:40]!r} runs at OpenAI; give function or custom tools")
    names = ("name", "description", *(("parameters", "strict") if kind == "function" else ("format",)))
    made = {name: tool[name] for name in names if tool.get(name) is not None}
    a_string(made.get("name"), f"{where}.name")
    form = made.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar" and "grammar" not in form:
        # Chat has the grammar's words one level deeper.
        made["format"] = {"type": "grammar", "grammar": {k: v for k, v in form.items() if k != "type"}}
    return marked({"type": kind, kind: made}, tool)


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice
    choice = an_object(choice, "tool_choice")
    kind = choice.get("type")
    if kind in ("function", "custom"):
        return {"type": kind, kind: {"name": a_string(choice.get("name"), "tool_choice.name")}}
    if kind == "allowed_tools":
        allowed = objects(choice.get("tools"), "tool_choice.tools")
        tools = [
            {"type": tool.get("type"), str(tool.get("type")): {"name": tool.get("name")}} for tool in allowed
        ]
        return {"type": kind, "allowed_tools": {"mode": choice.get("mode"), "tools": tools}}
    raise refused("tool_choice.type", f"{str(kind)[:40]!r} runs at OpenAI; choose a function or custom tool")


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if body.get("instructions") is not None:
        instructions = a_string(body["instructions"], "instructions")
        messages.append({"role": "developer", "content": instructions})
    given = body.get("input")
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    reader = _Items(messages)
    for index, item in enumerate(objects(given, "input")):
        reader.add(item, f"input[{index}]")
    return reader.done()


class _Items:
    """Puts items together to messages: an assistant's text, thoughts and calls are one message of chat."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self._messages = messages
        self._turn: dict[str, Any] | None = None
        """The assistant's message that is being put together."""

    def add(self, item: dict[str, Any], where: str) -> None:
        kind = item.get("type", "message")
        read = _READERS.get(kind)
        if read is None:
            raise refused(f"{where}.type", f"an item of type {str(kind)[:40]!r} is known to OpenAI only")
        read(self, item, where)

    def done(self) -> list[dict[str, Any]]:
        self._end_turn()
        return self._messages

    def message(self, item: dict[str, Any], where: str) -> None:
        role = item.get("role")
        if role not in _ROLES:
            raise invalid(f"{where}.role", ", ".join(_ROLES), role)
        content = _content(item.get("content"), f"{where}.content")
        if role != "assistant":
            self._end_turn()
            self._messages.append({"role": role, "content": content})
            return
        if self._turn is not None and (self._turn.get("tool_calls") or self._turn["content"] is not None):
            self._end_turn()
        self._begin_turn()["content"] = content

    def thought(self, item: dict[str, Any], where: str) -> None:
        turn = self._turn
        if turn is not None and (turn["content"] is not None or turn.get("tool_calls")):
            self._end_turn()
        turn = self._begin_turn()
        if details := _unsealed(item.get("encrypted_content")):
            turn.setdefault("reasoning_details", []).extend(details)
        text = "".join(
            a_string(part.get("text"), f"{where}.{name}")
            for name in ("content", "summary")
            for part in objects(item.get(name) or [], f"{where}.{name}")
        )
        if text and not details:
            turn["reasoning_content"] = turn.get("reasoning_content", "") + text

    def call(self, item: dict[str, Any], where: str) -> None:
        is_custom = item["type"] == "custom_tool_call"
        kind, said = ("custom", "input") if is_custom else ("function", "arguments")
        called = {
            "name": a_string(item.get("name"), f"{where}.name"),
            said: a_string(item.get(said), f"{where}.{said}"),
        }
        call = {"id": a_string(item.get("call_id"), f"{where}.call_id"), "type": kind, kind: called}
        if isinstance(item.get("extra_content"), dict):
            call["extra_content"] = item["extra_content"]
        self._begin_turn().setdefault("tool_calls", []).append(call)

    def output(self, item: dict[str, Any], where: str) -> None:
        self._end_turn()
        call = a_string(item.get("call_id"), f"{where}.call_id")
        content = _content(item.get("output"), f"{where}.output")
        self._messages.append({"role": "tool", "tool_call_id": call, "content": content})

    def _begin_turn(self) -> dict[str, Any]:
        if self._turn is None:
            self._turn = {"role": "assistant", "content": None}
        return self._turn

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            if turn["content"] is None and not turn.get("tool_calls"):
                turn["content"] = ""
            self._messages.append(turn)


_READERS: dict[Any, Callable[[_Items, dict[str, Any], str], None]] = {
    "message": _Items.message,
    "reasoning": _Items.thought,
    "function_call": _Items.call,
    "custom_tool_call": _Items.call,
    "function_call_output": _Items.output,
    "custom_tool_call_output": _Items.output,
}


def _content(content: Any, where: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = objects(content, where)
    return simplest([marked(_part(part, f"{where}[{index}]"), part) for index, part in enumerate(parts)])


def _part(part: dict[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "summary_text", "reasoning_text"):
        return {"type": "text", "text": a_string(part.get("text"), f"{where}.text")}
    if kind == "refusal":
        return {"type": "refusal", "refusal": a_string(part.get("refusal"), f"{where}.refusal")}
    if kind == "input_image":
        if part.get("image_url") is None:
            raise refused(f"{where}.file_id", "a file kept at OpenAI; send it as `image_url`")
        image = {"url": a_string(part["image_url"], f"{where}.image_url")}
        if part.get("detail") is not None:
            image["detail"] = part["detail"]
        return {"type": "image_url", "image_url": image}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": part.get("input_audio")}
    if kind == "input_file":
        file = {
            name: part[name] for name in ("file_data", "filename", "file_id") if part.get(name) is not None
        }
        if part.get("file_url") is not None:
            file["file_data"] = part["file_url"]
        return {"type": "file", "file": file}
    raise refused(f"{where}.type", f"content of type {str(kind)[:40]!r} is known to OpenAI only")


def sealed(details: list[dict[str, Any]]) -> str:
    """What a model thought, with its signatures, as `encrypted_content` that a client sends back."""
    return SEALED + base64.b64encode(orjson.dumps(details)).decode()


def _unsealed(content: Any) -> list[dict[str, Any]]:
    """The thoughts of `sealed`; none if it is another's."""
    if not isinstance(content, str) or not content.startswith(SEALED):
        return []
    try:
        details = orjson.loads(base64.b64decode(content[len(SEALED) :], validate=True))
    except (binascii.Error, orjson.JSONDecodeError):
        return []
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
