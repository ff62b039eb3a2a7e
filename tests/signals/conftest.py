"""Answers to look at."""

from __future__ import annotations

import json
from typing import Any

from pointsman.signals import Answer


def answer(
    text: Any = "",
    *,
    question: str = "What is it?",
    structure: str = "text",
    finish_reason: Any = "stop",
    message: dict[str, Any] | None = None,
    logprobs: Any = None,
    **asked: Any,
) -> Answer:
    choice = {
        "message": {"role": "assistant", "content": text, **(message or {})},
        "finish_reason": finish_reason,
        "logprobs": logprobs,
    }
    return Answer(
        {"choices": [choice]}, {"messages": [{"role": "user", "content": question}], **asked}, structure
    )


def with_schema(text: str, schema: Any) -> Answer:
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    return answer(text, response_format=wanted)


def with_call(arguments: Any, parameters: Any, *, name: str = "look", **asked: Any) -> Answer:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": text}}
    tool = {"type": "function", "function": {"name": "look", "parameters": parameters}}
    return answer(None, message={"tool_calls": [call]}, tools=[tool], **asked)
