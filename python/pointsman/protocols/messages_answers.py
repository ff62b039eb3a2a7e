"""An OpenAI chat completion as an answer of Anthropic's Messages API, whole and as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ProviderError
from pointsman.protocols.anthropic_answers import FINISH_REASONS
from pointsman.protocols.pieces import Block, Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.protocols.pieces import Piece

Event = tuple[str, dict[str, Any]]
"""Name and data of a server-sent event."""

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def message_of_completion(completion: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a chat completion with a usage into a message.

    Raises:
        ProviderError: The model called a tool with arguments that are not a JSON object, which a message
            cannot hold.
    """
    choice = completion["choices"][0]
    pieces = Pieces()
    pieces.feed({"choices": [{**choice, "index": 0, "delta": choice.get("message")}]})
    pieces.finish()
    return {
        **_head(completion),
        "content": [_content(block) for block in pieces.blocks],
        **_stop(pieces),
        "usage": messages_usage(completion.get("usage") or {}),
    }


def messages_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's usage as Anthropic's: there input tokens of the cache are counted apart."""
    details = usage.get("prompt_tokens_details") or {}
    n_read = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    n_written = details.get("cache_write_tokens") or details.get("cache_creation_tokens") or 0
    translated: dict[str, Any] = {
        "input_tokens": max(0, (usage.get("prompt_tokens") or 0) - n_read - n_written),
        "cache_creation_input_tokens": n_written,
        "cache_read_input_tokens": n_read,
        "output_tokens": usage.get("completion_tokens") or 0,
    }
    if usage.get("cache_creation"):
        translated["cache_creation"] = usage["cache_creation"]
    n_thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    if n_thinking is not None:
        translated["output_tokens_details"] = {"thinking_tokens": n_thinking}
    return translated


def messages_error(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    """An error in OpenAI's shape (the object under `error`) in Anthropic's, with our fields beside theirs."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {**error, "type": kind}, "request_id": error.get("decision_id")}


class EventsOfChunks:
    """The chunks of a stream as the events of a streamed message: `message_start` to `message_stop`.

    Args:
        n_input_tokens: What the input is believed to have, for `message_start`; `message_delta` corrects it.
    """

    def __init__(self, n_input_tokens: int) -> None:
        self._n_input_tokens = n_input_tokens
        self._pieces = Pieces()
        self._has_begun = False

    def feed(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events that a chunk stands for."""
        events = [] if self._has_begun else [self._start(chunk)]
        for piece in self._pieces.feed(chunk):
            events += _events(piece)
        return events

    def finish(self, usage: Mapping[str, Any]) -> list[Event]:
        """The events that end the message; `usage` is the chat usage where no chunk had one."""
        events = [event for piece in self._pieces.finish() for event in _events(piece)]
        delta = {
            "type": "message_delta",
            "delta": _stop(self._pieces),
            "usage": messages_usage(self._pieces.usage or usage),
        }
        return [*events, ("message_delta", delta), ("message_stop", {"type": "message_stop"})]

    def _start(self, chunk: Mapping[str, Any]) -> Event:
        self._has_begun = True
        usage = messages_usage({"prompt_tokens": self._n_input_tokens})
        message = {
            **_head(chunk),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return "message_start", {"type": "message_start", "message": message}


def _head(answer: Mapping[str, Any]) -> dict[str, Any]:
    own_id = str(answer.get("id") or "").removeprefix("chatcmpl-")
    message_id = own_id if own_id.startswith("msg_") else f"msg_{own_id}"
    return {"id": message_id, "type": "message", "role": "assistant", "model": answer.get("model")}


def _stop(pieces: Pieces) -> dict[str, Any]:
    """Why the model stopped. A call ends it for a tool, though OpenAI says `stop` where one was demanded."""
    ending = pieces.ending
    reason = ending.get("native_finish_reason")
    if reason not in FINISH_REASONS:
        reason = _STOP_REASONS.get(str(ending.get("finish_reason")), "end_turn")
        if reason == "end_turn" and any(block.kind in ("call", "custom") for block in pieces.blocks):
            reason = "tool_use"
    stop = {"stop_reason": reason, "stop_sequence": ending.get("stop_sequence")}
    return stop | ({"stop_details": ending["stop_details"]} if ending.get("stop_details") else {})


def _content(block: Block) -> dict[str, Any]:
    """A whole block."""
    if block.kind in ("call", "custom"):
        return {**_begun(block), "input": _input(block)}
    if block.kind == "thought":
        return {**_begun(block), "thinking": block.text, "signature": block.head.get("signature") or ""}
    return _begun(block) | ({"text": block.text} if block.kind in ("text", "refusal") else {})


def _input(block: Block) -> dict[str, Any]:
    try:
        value = orjson.loads(block.text) if block.text.strip() else {}
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ProviderError(
            f"the model called {str(block.head.get('name'))[:60]!r} with arguments that are not a JSON "
            "object; ask again, or choose a better model",
            provider="",
            code="provider_malformed",
        )
    return value


def _begun(block: Block) -> dict[str, Any]:
    """A block as it begins."""
    if block.kind in ("call", "custom"):
        return {"type": "tool_use", "id": block.head.get("id"), "name": block.head.get("name"), "input": {}}
    if block.kind == "thought":
        return {"type": "thinking", "thinking": "", "signature": ""}
    if block.kind == "secret":
        return {"type": "redacted_thinking", "data": block.head.get("data")}
    return {"type": "text", "text": ""}


def _events(piece: Piece) -> Iterator[Event]:
    index = piece.block.index
    if piece.what == "begin":
        begun = {"type": "content_block_start", "index": index, "content_block": _begun(piece.block)}
        yield "content_block_start", begun
    elif piece.what == "end":
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    else:
        delta = {"type": "content_block_delta", "index": index, "delta": _delta(piece)}
        yield "content_block_delta", delta


def _delta(piece: Piece) -> dict[str, Any]:
    if piece.what == "sign":
        return {"type": "signature_delta", "signature": piece.text}
    if piece.block.kind == "thought":
        return {"type": "thinking_delta", "thinking": piece.text}
    if piece.block.kind in ("call", "custom"):
        return {"type": "input_json_delta", "partial_json": piece.text}
    return {"type": "text_delta", "text": piece.text}
