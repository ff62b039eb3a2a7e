"""A stored answer as the stream it would have been, and a stream as the answer it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Characters of text a replayed chunk carries: a few tokens, as a live stream's chunks do.
_PIECE_CHARS = 24
# Ends of an answer that is whole; `length` was cut and `content_filter` withheld.
_WHOLE_ENDS = frozenset({"stop", "tool_calls", "function_call"})
_JOINED_FIELDS = ("content", "refusal", "reasoning_content", "reasoning")
_LISTED_FIELDS = ("reasoning_details", "images", "annotations")


def is_whole(body: Mapping[str, Any], *, with_tool_calls: bool) -> bool:
    """Whether an answer may be stored: every choice ended by itself, and calls tools only if allowed."""
    choices = body.get("choices") or ()
    if not choices or body.get("error"):
        return False
    return all(_is_whole_choice(choice, with_tool_calls) for choice in choices)


def _is_whole_choice(choice: Mapping[str, Any], with_tool_calls: bool) -> bool:
    message = choice.get("message") or {}
    calls_tools = bool(message.get("tool_calls") or message.get("function_call"))
    says_something = calls_tools or bool(message.get("content"))
    return (
        choice.get("finish_reason") in _WHOLE_ENDS
        and says_something
        and not message.get("refusal")
        and (with_tool_calls or not calls_tools)
    )


def replayed(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The chunks of an OpenAI stream that amount to `body`; the last carries the usage and no choices."""
    head = {name: body[name] for name in ("id", "created", "model", "system_fingerprint") if name in body}
    head["object"] = "chat.completion.chunk"
    for choice in body.get("choices") or ():
        for delta, rest in _deltas(choice):
            yield {**head, "choices": [{"index": choice.get("index", 0), "delta": delta, **rest}]}
    yield {**head, "choices": [], "usage": body.get("usage")}


def _deltas(choice: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    message = choice.get("message") or {}
    going_on = {"finish_reason": None}
    yield {"role": message.get("role", "assistant"), "content": ""}, going_on
    for name in _JOINED_FIELDS:
        text = message.get(name)
        if isinstance(text, str):
            for start in range(0, len(text), _PIECE_CHARS):
                yield {name: text[start : start + _PIECE_CHARS]}, going_on
    for index, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{"index": index, **call}]}, going_on
    ending = {"finish_reason": choice.get("finish_reason")}
    if choice.get("logprobs") is not None:
        ending["logprobs"] = choice["logprobs"]
    yield {}, ending


class StreamRecorder:
    """Puts the chunks of a stream together again."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take the next chunk."""
        if not self._head:
            self._head = {
                name: value for name, value in chunk.items() if name not in ("choices", "usage", "object")
            }
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            self._add_choice(choice)

    def body(self) -> dict[str, Any]:
        """The answer in OpenAI's chat completion shape, as far as it came."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        body = {**self._head, "object": "chat.completion", "choices": choices}
        return {**body, "usage": self._usage} if self._usage else body

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index", 0)
        fresh = {"index": index, "message": {"role": "assistant", "content": None}, "finish_reason": None}
        known = self._choices.setdefault(index, fresh)
        known["finish_reason"] = choice.get("finish_reason") or known["finish_reason"]
        if choice.get("logprobs"):
            _join_logprobs(known, choice["logprobs"])
        delta = choice.get("delta") or {}
        message = known["message"]
        for name, value in delta.items():
            if name in _JOINED_FIELDS and isinstance(value, str):
                message[name] = (message.get(name) or "") + value
            elif name in _LISTED_FIELDS and isinstance(value, list):
                message.setdefault(name, []).extend(value)
            elif name == "tool_calls":
                _join_calls(message.setdefault("tool_calls", []), value or [])
            elif value is not None and name not in _JOINED_FIELDS:
                message[name] = value


def _join_logprobs(choice: dict[str, Any], logprobs: Mapping[str, Any]) -> None:
    known = choice.setdefault("logprobs", {})
    for name, tokens in logprobs.items():
        if isinstance(tokens, list):
            known[name] = [*(known.get(name) or ()), *tokens]
        else:
            known.setdefault(name, tokens)


def _join_calls(calls: list[dict[str, Any]], deltas: list[dict[str, Any]]) -> None:
    for delta in deltas:
        index = delta.get("index", len(calls))
        while len(calls) <= index:
            calls.append({"type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[index]
        call.update({name: value for name, value in delta.items() if name in ("id", "type") and value})
        function = delta.get("function") or {}
        for name in ("name", "arguments"):
            call["function"][name] += function.get(name) or ""
