"""Verifiers of answers that a program reads: JSON, JSON Schema, tool arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pointsman.signals.answer import Answer, mapping
from pointsman.signals.schemas import schema_of
from pointsman.signals.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNREADABLE = object()


def json_parses(answer: Answer) -> Signal | None:
    """Whether an answer that should be JSON parses.

    A gate where `response_format` asks for it. Where only the words of the request do (the decision's
    structure is `json`), a hint, and a fence around it is forgiven.
    """
    is_asked = answer.response_format.get("type") in ("json_object", "json_schema")
    if answer.tool_calls or not answer.is_whole or not (is_asked or answer.structure == "json"):
        return None
    text = answer.text if is_asked else _unfenced(answer.text)
    document = _parsed(text)
    if is_asked and answer.response_format.get("type") == "json_object":
        return _verdict("json", isinstance(document, dict), "orjson: an object")
    return Signal(
        "json", float(document is not _UNREADABLE), "orjson: parses", kind="gate" if is_asked else "hint"
    )


def json_schema(answer: Answer) -> Signal | None:
    """Whether an answer is valid against the schema in `response_format`; a gate."""
    schema = mapping(answer.response_format.get("json_schema")).get("schema")
    if answer.tool_calls or not answer.is_whole or not isinstance(schema, dict):
        return None
    document = _parsed(answer.text)
    if document is _UNREADABLE:
        return _verdict("json_schema", False, "not JSON")
    return _validity("json_schema", [(schema, answer.text, document)])


def tool_arguments(answer: Answer) -> Signal | None:
    """Whether every tool call names a tool of the request, with arguments its schema takes; a gate.

    No call where `tool_choice` demands one fails too.
    """
    calls = answer.tool_calls
    if not calls:
        choice = answer.asked.get("tool_choice")
        is_demanded = choice == "required" or isinstance(choice, dict)
        return _verdict("tool_arguments", False, "no call, though demanded") if is_demanded else None
    tools = dict(_tools(answer.asked.get("tools")))
    checks: list[tuple[Any, str, Any]] = []
    for call in calls:
        function = mapping(call.get("function"))
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(name, str) or name not in tools:
            return _verdict("tool_arguments", False, "a tool that was not offered")
        document = _parsed(arguments) if isinstance(arguments, str) else _UNREADABLE
        if not isinstance(document, dict):
            return _verdict("tool_arguments", False, "arguments are no JSON object")
        checks.append((tools[name], str(arguments), document))
    return _validity("tool_arguments", checks)


def _validity(name: str, checks: list[tuple[Any, str, Any]]) -> Signal | None:
    """The verdict on documents (schema, text, parsed); `None` where one of them cannot be told."""
    try:
        import jsonschema_rs  # noqa: F401 - only whether it is installed
    except ImportError:
        return None
    verdicts = [_is_valid(*check) for check in checks]
    if False in verdicts:
        return _verdict(name, False, "jsonschema_rs: invalid")
    return None if None in verdicts else _verdict(name, True, "jsonschema_rs: valid")


def _is_valid(schema: Any, text: str, document: Any) -> bool | None:
    if not isinstance(schema, dict) or not schema:
        # A function without parameters takes any object.
        return True
    compiled = schema_of(schema)
    return compiled.is_valid(text, document) if compiled else None


def _tools(tools: Any) -> Iterator[tuple[str, Any]]:
    for tool in tools if isinstance(tools, list | tuple) else ():
        function = mapping(mapping(tool).get("function"))
        name = function.get("name")
        if isinstance(name, str):
            yield name, function.get("parameters")


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:  # Not JSON, nested deeper than 1,024, or lone surrogates.
        return _UNREADABLE


def _unfenced(text: str) -> str:
    """The text inside a fence around all of it; no regular expression, for those are quadratic here."""
    stripped = text.strip()
    first, newline, rest = stripped.partition("\n")
    if newline and first.startswith("```") and rest.endswith("```"):
        return rest.removesuffix("```")
    return text


def _verdict(name: str, is_good: bool, source: str) -> Signal:
    return Signal(name, float(is_good), source)
