"""An answer of Anthropic's Messages API as an OpenAI chat completion, whole and as chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from pointsman.protocols.anthropic_requests import THOUGHT_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""OpenAI's finish reason of each stop reason."""
_TIERS = {"standard": "default"}


def completion_of_message(message: Mapping[str, Any], created_s: int) -> dict[str, Any]:
    """Translate a message into a chat completion.

    Args:
        message: A checked message: its `content` is a list of objects.
        created_s: Unix time the completion carries.
    """
    blocks = message["content"]
    said: dict[str, Any] = {"role": "assistant", "content": _text(blocks)}
    if calls := [_call(block) for block in blocks if block.get("type") == "tool_use"]:
        said["tool_calls"] = calls
    thoughts = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    if thoughts:
        said["reasoning_content"] = "".join(block.get("thinking") or "" for block in thoughts)
        said["reasoning_details"] = [detail_of(block, index) for index, block in enumerate(thoughts)]
    completion = {
        "id": message.get("id"),
        "object": "chat.completion",
        "created": created_s,
        "model": message.get("model"),
        "choices": [{"index": 0, "message": said, "logprobs": None, **_finish(message)}],
    }
    usage = message.get("usage")
    if isinstance(usage, dict):
        completion["usage"] = chat_usage(usage)
        if tier := usage.get("service_tier"):
            completion["service_tier"] = _TIERS.get(tier, tier)
    return completion


def chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Anthropic's usage as OpenAI's: there the input counts what was read from and written to the cache."""
    n_read, n_written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    n_input, n_output = _count(usage, "input_tokens") + n_read + n_written, _count(usage, "output_tokens")
    translated: dict[str, Any] = {
        "prompt_tokens": n_input,
        "completion_tokens": n_output,
        "total_tokens": n_input + n_output,
        "prompt_tokens_details": {"cached_tokens": n_read, "cache_write_tokens": n_written},
    }
    details = usage.get("output_tokens_details")
    if isinstance(details, dict) and isinstance(details.get("thinking_tokens"), int):
        translated["completion_tokens_details"] = {"reasoning_tokens": details["thinking_tokens"]}
    if isinstance(usage.get("cache_creation"), dict):
        translated["cache_creation"] = usage["cache_creation"]
    return translated


def detail_of(block: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A thinking block as an entry of `reasoning_details`."""
    detail: dict[str, Any] = {"index": index, "format": THOUGHT_FORMAT}
    if block["type"] == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": block.get("data"), **detail}
    if block.get("signature"):
        detail["signature"] = block["signature"]
    return {"type": "reasoning.text", "text": block.get("thinking") or "", **detail}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _text(blocks: Iterable[Mapping[str, Any]]) -> str | None:
    texts = [block.get("text") or "" for block in blocks if block.get("type") == "text"]
    return "".join(texts) if texts else None


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = orjson.dumps(block.get("input") or {}).decode()
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def _finish(message: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a choice that say why the model stopped."""
    reason = message.get("stop_reason")
    finish = {"finish_reason": FINISH_REASONS.get(str(reason), "stop"), "native_finish_reason": reason}
    for name in ("stop_sequence", "stop_details"):
        if message.get(name) is not None:
            finish[name] = message[name]
    return finish


class ChunksOfEvents:
    """The events of one streamed message as chat chunks.

    Attributes:
        is_finished: Whether `message_stop` was seen: the message is whole.
    """

    def __init__(self, created_s: int) -> None:
        self.is_finished = False
        self._head: dict[str, Any] = {
            "id": None,
            "object": "chat.completion.chunk",
            "created": created_s,
            "model": None,
        }
        self._usage: dict[str, Any] = {}
        self._calls: dict[Any, int] = {}
        """Place among the tool calls of each block that is one."""
        self._thoughts: dict[Any, int] = {}
        self._silent: set[Any] = set()
        """Blocks of tool calls that no argument came for yet."""

    def feed(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks that an event stands for; none for events that say nothing of the answer."""
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event.get("index"), _object(event, "delta"))
        if kind == "content_block_start":
            return self._block(event.get("index"), _object(event, "content_block"))
        if kind == "content_block_stop":
            # OpenAI's clients read arguments as JSON, which nothing is not.
            return self._arguments(event.get("index"), "{}") if event.get("index") in self._silent else []
        if kind == "message_start":
            message = _object(event, "message")
            self._head |= {"id": message.get("id"), "model": message.get("model")}
            self._usage |= _object(message, "usage")
            return [self._chunk({"role": "assistant", "content": ""})]
        if kind == "message_delta":
            # Counts are cumulative; one that is null is unchanged.
            counts = _object(event, "usage")
            self._usage |= {name: count for name, count in counts.items() if count is not None}
            return [self._chunk({}, _finish(_object(event, "delta")))]
        if kind == "message_stop":
            self.is_finished = True
            return [{**self._head, "choices": [], "usage": chat_usage(self._usage)}]
        return []

    def _chunk(self, delta: dict[str, Any], finish: Mapping[str, Any] | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, **(finish or {"finish_reason": None})}
        return {**self._head, "choices": [choice]}

    def _block(self, index: Any, block: dict[str, Any]) -> list[dict[str, Any]]:
        kind = block.get("type")
        if kind == "tool_use":
            place = self._calls.setdefault(index, len(self._calls))
            call = _call(block)
            if not block.get("input"):
                call["function"]["arguments"] = ""
                self._silent.add(index)
            return [self._chunk({"tool_calls": [{"index": place, **call}]})]
        if kind in ("thinking", "redacted_thinking"):
            place = self._thoughts.setdefault(index, len(self._thoughts))
            if kind == "redacted_thinking" or block.get("thinking") or block.get("signature"):
                return [self._thought(detail_of(block, place))]
        if kind == "text" and block.get("text"):
            return [self._chunk({"content": block["text"]})]
        return []

    def _delta(self, index: Any, delta: dict[str, Any]) -> list[dict[str, Any]]:
        kind = delta.get("type")
        if kind == "text_delta":
            return [self._chunk({"content": delta.get("text")})]
        if kind == "input_json_delta":
            return self._arguments(index, delta["partial_json"]) if delta.get("partial_json") else []
        if kind in ("thinking_delta", "signature_delta"):
            place = self._thoughts.setdefault(index, len(self._thoughts))
            detail = {"type": "reasoning.text", "index": place, "format": THOUGHT_FORMAT}
            if kind == "signature_delta":
                return [self._thought({**detail, "signature": delta.get("signature")})]
            return [self._thought({**detail, "text": delta.get("thinking") or ""})]
        return []

    def _arguments(self, index: Any, text: str) -> list[dict[str, Any]]:
        self._silent.discard(index)
        place = self._calls.setdefault(index, len(self._calls))
        return [self._chunk({"tool_calls": [{"index": place, "function": {"arguments": text}}]})]

    def _thought(self, detail: dict[str, Any]) -> dict[str, Any]:
        delta: dict[str, Any] = {"reasoning_details": [detail]}
        if detail.get("text"):
            delta["reasoning_content"] = detail["text"]
        return self._chunk(delta)


def _object(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}
