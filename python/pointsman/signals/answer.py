"""An answer as verifiers see it: read once, every size bounded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CHARS = 200_000
"""Characters of an answer that are looked at; what is longer is cut, and gates that need it whole abstain."""
MAX_TOOL_CALLS = 64
MAX_LOGPROBS = 50_000


@dataclass(frozen=True)
class Answer:
    """One answer beside what was asked. Whatever shape a provider gave it, reading it never raises.

    Attributes:
        body: The answer in OpenAI's chat completion shape; its first choice is looked at.
        asked: The OpenAI chat body that was answered.
        structure: The decision's label, e.g. `json`.
        domain: The decision's label.
        task: Name the caller gave the task.
    """

    body: Mapping[str, Any]
    asked: Mapping[str, Any]
    structure: str = "text"
    domain: str = "general"
    task: str | None = None

    @cached_property
    def _choice(self) -> Mapping[str, Any]:
        choices = self.body.get("choices")
        return mapping(choices[0]) if isinstance(choices, list) and choices else {}

    @cached_property
    def message(self) -> Mapping[str, Any]:
        """The first choice's message."""
        return mapping(self._choice.get("message"))

    @cached_property
    def whole_text(self) -> str:
        """All of its text; parts of a content list are joined."""
        return text_of(self.message.get("content"))

    @cached_property
    def text(self) -> str:
        """Its text, at most `MAX_CHARS`."""
        return self.whole_text[:MAX_CHARS]

    @property
    def is_whole(self) -> bool:
        """Whether `text` is all of it."""
        return len(self.whole_text) <= MAX_CHARS

    @property
    def finish_reason(self) -> str | None:
        """Why it ended."""
        reason = self._choice.get("finish_reason")
        return reason if isinstance(reason, str) else None

    @cached_property
    def tool_calls(self) -> list[Mapping[str, Any]]:
        """Its first `MAX_TOOL_CALLS` tool calls."""
        calls = self.message.get("tool_calls")
        return [mapping(call) for call in calls[:MAX_TOOL_CALLS]] if isinstance(calls, list) else []

    @cached_property
    def logprobs(self) -> list[float]:
        """Log probabilities of its tokens that are finite and at most 0; empty if there are none."""
        tokens = mapping(self._choice.get("logprobs")).get("content")
        found = (mapping(token).get("logprob") for token in (tokens if isinstance(tokens, list) else ()))
        numbers = [each for each in found if isinstance(each, int | float) and not isinstance(each, bool)]
        return [float(each) for each in numbers[:MAX_LOGPROBS] if each <= 0 and math.isfinite(each)]

    @cached_property
    def response_format(self) -> Mapping[str, Any]:
        """The `response_format` asked for; empty if none was."""
        return mapping(self.asked.get("response_format"))

    @cached_property
    def last_user_text(self) -> str:
        """What the user said last, at most `MAX_CHARS`."""
        return last_user_text(self.asked)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(content: Any) -> str:
    """Text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    texts = (mapping(part).get("text") for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def messages_of(asked: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The conversation of a chat body."""
    messages = asked.get("messages")
    return [mapping(message) for message in messages] if isinstance(messages, list | tuple) else []


def last_user_text(asked: Mapping[str, Any]) -> str:
    """What the user said last in a chat body, at most `MAX_CHARS`; empty if nothing."""
    for message in reversed(messages_of(asked)):
        if message.get("role") == "user":
            return text_of(message.get("content"))[:MAX_CHARS]
    return ""
