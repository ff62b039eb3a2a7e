"""An OpenAI chat body as a request of Gemini's generateContent."""

from __future__ import annotations

import mimetypes
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman.protocols.fields import (
    a_string,
    an_object,
    data_url,
    invalid,
    json_object,
    objects,
    refuse_unknown,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONFIG = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "n": "candidateCount",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_READ = (
    *_CONFIG,
    *("model", "messages", "stream", "max_tokens", "max_completion_tokens", "stop", "tools", "tool_choice"),
    *("response_format", "reasoning_effort", "thinking", "logprobs", "top_logprobs"),
)
# Labels, and hints that change no answer. Gemini caches prompts by itself, so markers are hints too.
_LEFT_OUT = (
    *("metadata", "store", "stream_options", "service_tier", "prediction", "user", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "cache_control"),
)
_NEUTRAL: Mapping[str, Any] = {"modalities": ["text"], "logit_bias": {}, "parallel_tool_calls": True}
_TARGET = "Gemini's generateContent"
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_LEVELS = {"none": "MINIMAL", "minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
# What Google's own OpenAI endpoint takes an effort for, in tokens.
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_GENERATION = re.compile(r"gemini-(\d+)")
_UNSIGNED = "skip_thought_signature_validator"
"""What Google documents to send in place of the signature of a call that another model made."""


def generate_content_of_chat(chat: Mapping[str, Any], model: str = "") -> dict[str, Any]:
    """Translate a chat body into the body of `:generateContent`.

    Args:
        chat: The chat body.
        model: Gemini's name of the model: its third generation thinks in levels and wants its calls signed.

    Raises:
        RequestError: It asks for what Gemini has no concept of (`logit_bias`, `verbosity`, custom tools ...).
    """
    known = (*_READ, *_LEFT_OUT, *(name for name, value in _NEUTRAL.items() if chat.get(name) == value))
    refuse_unknown(chat, known, _TARGET)
    generation = _generation(model)
    system, contents = _conversation(objects(chat.get("messages"), "messages"), generation >= 3)
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    if tools := objects(chat.get("tools") or [], "tools"):
        declared = [_declaration(tool, f"tools[{index}]") for index, tool in enumerate(tools)]
        body["tools"] = [{"functionDeclarations": declared}]
        body["toolConfig"] = {"functionCallingConfig": _calling(chat.get("tool_choice"), tools)}
    config = _generation_config(chat)
    if thinking := _thinking(chat, generation):
        config["thinkingConfig"] = thinking
    if config:
        body["generationConfig"] = config
    return body


def _generation(model: str) -> int:
    """Of Gemini's models; 0 for others."""
    found = _GENERATION.search(model)
    return int(found[1]) if found else 0


def _generation_config(chat: Mapping[str, Any]) -> dict[str, Any]:
    config = {theirs: chat[ours] for ours, theirs in _CONFIG.items() if chat.get(ours) is not None}
    for name in ("max_tokens", "max_completion_tokens"):
        if chat.get(name) is not None:
            config["maxOutputTokens"] = chat[name]
    if chat.get("stop") is not None:
        config["stopSequences"] = [chat["stop"]] if isinstance(chat["stop"], str) else chat["stop"]
    if chat.get("logprobs"):
        config |= {"responseLogprobs": True, "logprobs": chat.get("top_logprobs") or 0}
    form = an_object(chat.get("response_format") or {"type": "text"}, "response_format")
    if form.get("type") in ("json_object", "json_schema"):
        config["responseMimeType"] = "application/json"
    elif form.get("type") != "text":
        raise refused("response_format.type", f"{_TARGET} writes text, or JSON with or without a schema")
    if form.get("type") == "json_schema":
        where = "response_format.json_schema"
        schema = an_object(form.get("json_schema"), where).get("schema")
        config["responseJsonSchema"] = an_object(schema, f"{where}.schema")
    return config


def _thinking(chat: Mapping[str, Any], generation: int) -> dict[str, Any]:
    """How much to think: a level from the third generation on, else a budget; `thinking` comes first."""
    thinking = chat.get("thinking")
    if thinking is not None:
        asked = an_object(thinking, "thinking")
        if asked.get("type") == "disabled":
            return {"thinkingLevel": "MINIMAL"} if generation >= 3 else {"thinkingBudget": 0}
        budget = asked.get("budget_tokens")
        return {"includeThoughts": True} | ({} if budget is None else {"thinkingBudget": budget})
    effort = chat.get("reasoning_effort")
    if effort is None:
        return {}
    words: Mapping[str, Any] = _LEVELS if generation >= 3 else _BUDGETS
    if effort not in words:
        raise refused("reasoning_effort", f"{_TARGET} knows {', '.join(words)}")
    return {"thinkingLevel" if generation >= 3 else "thinkingBudget": words[effort]}


def _declaration(tool: dict[str, Any], where: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise refused(f"{where}.type", f"{_TARGET} has function tools only")
    function = an_object(tool.get("function"), f"{where}.function")
    made = {"name": a_string(function.get("name"), f"{where}.function.name")}
    if function.get("description") is not None:
        made["description"] = function["description"]
    if function.get("parameters") is not None:
        made["parametersJsonSchema"] = function["parameters"]
    return made


def _calling(choice: Any, tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Which functions may be called, and must; strict ones are called as their schema says."""
    is_strict = any((tool.get("function") or {}).get("strict") for tool in tools)
    if choice is None or choice == "auto":
        return {"mode": "VALIDATED" if is_strict else "AUTO"}
    if isinstance(choice, str) and choice in _MODES:
        return {"mode": _MODES[choice]}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "function":
        function = an_object(choice.get("function"), "tool_choice.function")
        name = a_string(function.get("name"), "tool_choice.function.name")
        return {"mode": "ANY", "allowedFunctionNames": [name]}
    if kind == "allowed_tools":
        allowed = an_object(choice.get("allowed_tools"), "tool_choice.allowed_tools")
        where = "tool_choice.allowed_tools.tools"
        names = [(tool.get("function") or {}).get("name") for tool in objects(allowed.get("tools"), where)]
        return {
            "mode": "ANY" if allowed.get("mode") == "required" else "VALIDATED",
            "allowedFunctionNames": names,
        }
    raise refused("tool_choice", f"{_TARGET} knows auto, required, none, a function and allowed_tools")


def _conversation(
    messages: list[dict[str, Any]], must_sign: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system's instruction, and the turns with roles that alternate."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    """Of the function of each call, by the call's id."""
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role, parts = _turn(message, where, names, must_sign)
        if role == "system":
            system += parts
        elif parts and turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return system, turns


def _turn(
    message: dict[str, Any], where: str, names: dict[str, str], must_sign: bool
) -> tuple[str, list[dict[str, Any]]]:
    """The role a message has at Gemini, and its parts."""
    role = message.get("role")
    if role in ("system", "developer"):
        return "system", list(_parts(message.get("content"), f"{where}.content"))
    if role == "user":
        return "user", list(_parts(message.get("content"), f"{where}.content"))
    if role == "tool":
        return "user", [_result(message, where, names)]
    if role == "assistant":
        return "model", [*_said(message, where), *_calls(message, where, names, must_sign)]
    raise invalid(f"{where}.role", "system, developer, user, assistant or tool", role)


def _parts(content: Any, where: str) -> Iterator[dict[str, Any]]:
    if content is None:
        return
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else objects(content, where)
    for index, part in enumerate(parts):
        made = _part(part, f"{where}[{index}]")
        if made.get("text") != "":
            yield made


def _part(part: dict[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        return {"text": a_string(part.get(kind), f"{where}.{kind}")}
    if kind == "image_url":
        image = an_object(part.get("image_url"), f"{where}.image_url")
        return _media(a_string(image.get("url"), f"{where}.image_url.url"), f"{where}.image_url.url")
    if kind == "input_audio":
        audio = an_object(part.get("input_audio"), f"{where}.input_audio")
        media_type = f"audio/{a_string(audio.get('format'), f'{where}.input_audio.format')}"
        return {"inlineData": {"mimeType": media_type, "data": audio.get("data")}}
    if kind == "file":
        file = an_object(part.get("file"), f"{where}.file")
        if file.get("file_data") is None:
            raise refused(f"{where}.file", "a file kept at OpenAI; send it as `file_data`")
        return _media(a_string(file["file_data"], f"{where}.file.file_data"), f"{where}.file.file_data")
    raise refused(f"{where}.type", f"{_TARGET} takes text, images, audio and files, not {str(kind)[:40]!r}")


def _media(url: str, where: str) -> dict[str, Any]:
    if found := data_url(url, where):
        return {"inlineData": {"mimeType": found[0], "data": found[1]}}
    data = {"fileUri": url}
    if media_type := mimetypes.guess_type(urlsplit(url).path)[0]:
        data["mimeType"] = media_type
    return {"fileData": data}


def _result(message: dict[str, Any], where: str, names: Mapping[str, str]) -> dict[str, Any]:
    """A tool's result: its text as `output` or `error`, whatever else it holds as parts."""
    call = a_string(message.get("tool_call_id"), f"{where}.tool_call_id")
    if call not in names:
        raise refused(f"{where}.tool_call_id", "no message before it called a tool by this id")
    parts = list(_parts(message.get("content"), f"{where}.content"))
    text = "".join(part["text"] for part in parts if "text" in part)
    response: dict[str, Any] = {
        "id": call,
        "name": names[call],
        "response": {"error" if message.get("is_error") else "output": text},
    }
    if media := [part for part in parts if "text" not in part]:
        response["parts"] = media
    return {"functionResponse": response}


def _said(message: dict[str, Any], where: str) -> list[dict[str, Any]]:
    parts = list(_parts(message.get("content"), f"{where}.content"))
    parts += _parts(message.get("refusal"), f"{where}.refusal")
    if parts and (signature := signature_of(message)):
        parts[-1]["thoughtSignature"] = signature
    return parts


def _calls(
    message: dict[str, Any], where: str, names: dict[str, str], must_sign: bool
) -> Iterator[dict[str, Any]]:
    if message.get("function_call"):
        raise refused(f"{where}.function_call", "an old form; use tool_calls")
    calls = objects(message.get("tool_calls") or [], f"{where}.tool_calls")
    # Of calls made at once only the first is signed.
    is_unsigned = must_sign and not any(map(signature_of, calls))
    for index, call in enumerate(calls):
        at = f"{where}.tool_calls[{index}]"
        if call.get("type", "function") != "function":
            raise refused(f"{at}.type", f"{_TARGET} has calls of functions only")
        function = an_object(call.get("function"), f"{at}.function")
        call_id = a_string(call.get("id"), f"{at}.id")
        names[call_id] = a_string(function.get("name"), f"{at}.function.name")
        arguments = a_string(function.get("arguments") or "", f"{at}.function.arguments")
        args = json_object(arguments, f"{at}.function.arguments")
        part: dict[str, Any] = {"functionCall": {"id": call_id, "name": names[call_id], "args": args}}
        if signature := signature_of(call) or (_UNSIGNED if is_unsigned and not index else None):
            part["thoughtSignature"] = signature
        yield part


def signature_of(value: Mapping[str, Any]) -> str | None:
    """The thought signature that a message or call carries, where Google's OpenAI endpoint puts it."""
    google = (value.get("extra_content") or {}).get("google") or {}
    signature = google.get("thought_signature")
    return signature if isinstance(signature, str) else None
