"""An OpenAI chat completion as an answer of OpenAI's Responses API, whole and as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.protocols.pieces import Pieces
from pointsman.protocols.responses_requests import sealed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.protocols.pieces import Block, Piece

Event = tuple[str, dict[str, Any]]
"""Name and data of a server-sent event."""

# What a response says of its request, and what it says where the request says nothing.
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "user": None,
}
_CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete, by finish reason."""
_PREFIXES = {
    "text": "msg",
    "refusal": "msg",
    "thought": "rs",
    "secret": "rs",
    "call": "fc",
    "custom": "ctc",
}
# The events of a block's text: name of its delta, name of its end, field of its end.
_SAYINGS = {
    "text": ("response.output_text.delta", "response.output_text.done", "text"),
    "refusal": ("response.refusal.delta", "response.refusal.done", "refusal"),
    "thought": ("response.reasoning_text.delta", "response.reasoning_text.done", "text"),
    "call": ("response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments"),
    "custom": ("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input"),
}
_IN_PARTS = ("text", "refusal", "thought")


def response_of_completion(completion: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a chat completion with a usage into a response.

    Args:
        completion: The completion; its first choice is the answer.
        asked: The body of the request, which a response repeats in part.
    """
    choice = completion["choices"][0]
    pieces = Pieces()
    pieces.feed({"choices": [{**choice, "index": 0, "delta": choice.get("message")}]})
    pieces.finish()
    logprobs = (choice.get("logprobs") or {}).get("content") or []
    answer_id = _answer_id(completion)
    output = [_item(block, answer_id, logprobs=logprobs) for block in pieces.blocks]
    head = _head(completion, asked) | {"output": output}
    return _ended(head, pieces.ending, completion.get("usage") or {})


def responses_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The usage of a chat completion under the Responses API's names."""
    n_input, n_output = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    details = usage.get("prompt_tokens_details") or {}
    n_cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    n_thinking = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": n_input,
        "input_tokens_details": {
            "cached_tokens": n_cached,
            "cache_write_tokens": details.get("cache_write_tokens") or 0,
        },
        "output_tokens": n_output,
        "output_tokens_details": {"reasoning_tokens": n_thinking},
        "total_tokens": usage.get("total_tokens") or n_input + n_output,
    }


class ResponseEvents:
    """The chunks of a stream as the events of a streamed response, `response.created` to its end.

    Args:
        asked: The body of the request.
        created_s: Unix time, for a stream that breaks before its first chunk.
    """

    def __init__(self, asked: Mapping[str, Any], created_s: int) -> None:
        self._asked = asked
        self._head = _head({"created": created_s}, asked)
        self._pieces = Pieces()
        self._n_sent = 0
        self._answer_id = ""
        self._logprobs: list[Any] = []
        self._output: list[dict[str, Any]] = []

    def feed(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events that a chunk stands for."""
        events = [] if self._n_sent else self._start(chunk)
        new = [
            token
            for choice in chunk.get("choices") or ()
            for token in (choice.get("logprobs") or {}).get("content") or ()
        ]
        self._logprobs += new
        for piece in self._pieces.feed(chunk):
            is_text = piece.what == "say" and piece.block.kind == "text"
            events += self._events(piece, new if is_text else [])
            new = [] if is_text else new
        return events

    def finish(self, usage: Mapping[str, Any]) -> list[Event]:
        """The events that end the response; `usage` is the chat usage where no chunk had one."""
        events = [event for piece in self._pieces.finish() for event in self._events(piece, [])]
        head = {**self._head, "output": self._output}
        response = _ended(head, self._pieces.ending, self._pieces.usage or usage)
        return [*events, self._event(f"response.{response['status']}", response=response)]

    def failed(self, error: Mapping[str, Any]) -> list[Event]:
        """The events that end the response because of an error in OpenAI's shape."""
        told = {name: error.get(name) for name in ("code", "message", "param")}
        # A response's codes are OpenAI's closed list; the event before it has ours.
        is_limited = error.get("code") == "provider_rate_limited"
        code = "rate_limit_exceeded" if is_limited else "server_error"
        failure = {"code": code, "message": error.get("message")}
        response = {**self._head, "output": self._output, "status": "failed", "error": failure}
        return [self._event("error", **told), self._event("response.failed", response=response)]

    def _start(self, chunk: Mapping[str, Any]) -> list[Event]:
        self._head = _head(chunk, self._asked)
        self._answer_id = _answer_id(chunk)
        created = {**self._head, "output": []}
        return [self._event(f"response.{name}", response=created) for name in ("created", "in_progress")]

    def _event(self, kind: str, **data: Any) -> Event:
        self._n_sent += 1
        return kind, {"type": kind, "sequence_number": self._n_sent - 1, **data}

    def _events(self, piece: Piece, logprobs: list[Any]) -> Iterator[Event]:
        block = piece.block
        place = {"output_index": block.index, "item_id": _item_id(block, self._answer_id)}
        if block.kind in _IN_PARTS:
            place["content_index"] = 0
        if piece.what == "begin":
            begun = _item(block, self._answer_id, is_begun_only=True)
            yield self._event("response.output_item.added", output_index=block.index, item=begun)
            if block.kind in _IN_PARTS:
                yield self._event("response.content_part.added", **place, part=_part(block, "", []))
        elif piece.what == "say":
            extra = {"logprobs": logprobs} if block.kind == "text" else {}
            yield self._event(_SAYINGS[block.kind][0], **place, delta=piece.text, **extra)
        elif piece.what == "end":
            yield from self._ends(block, place)

    def _ends(self, block: Block, place: dict[str, Any]) -> Iterator[Event]:
        logprobs = self._logprobs if block.kind == "text" else []
        if block.kind in _SAYINGS:
            _, kind, field = _SAYINGS[block.kind]
            extra: dict[str, Any] = {"logprobs": logprobs} if block.kind == "text" else {}
            if block.kind == "call":
                extra["name"] = block.head.get("name")
            yield self._event(kind, **place, **{field: block.text}, **extra)
        if block.kind in _IN_PARTS:
            part = _part(block, block.text, logprobs)
            yield self._event("response.content_part.done", **place, part=part)
        item = _item(block, self._answer_id, logprobs=logprobs)
        self._output.append(item)
        self._logprobs = [] if block.kind == "text" else self._logprobs
        yield self._event("response.output_item.done", output_index=block.index, item=item)


def _answer_id(answer: Mapping[str, Any]) -> str:
    return str(answer.get("id") or "").removeprefix("chatcmpl-").removeprefix("msg_")


def _head(answer: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """A response that has just begun. It says what was asked, but that nothing is kept."""
    echoed = {name: value if asked.get(name) is None else asked[name] for name, value in _ECHOED.items()}
    return {
        "id": f"resp_{_answer_id(answer)}",
        "object": "response",
        "created_at": answer.get("created") or 0,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": answer.get("model") or asked.get("model"),
        "output": [],
        "previous_response_id": None,
        "store": False,
        "truncation": "disabled",
        "background": False,
        "service_tier": answer.get("service_tier") or "default",
        "usage": None,
        **echoed,
    }


def _ended(head: dict[str, Any], ending: Mapping[str, Any], usage: Mapping[str, Any]) -> dict[str, Any]:
    reason = _CUT.get(str(ending.get("finish_reason")))
    return {
        **head,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "usage": responses_usage(usage),
    }


def _item_id(block: Block, answer_id: str) -> str:
    return f"{_PREFIXES[block.kind]}_{answer_id}_{block.index}"


def _item(
    block: Block, answer_id: str, *, is_begun_only: bool = False, logprobs: list[Any] | None = None
) -> dict[str, Any]:
    """A block as an item of the output: whole, or as it begins."""
    text = "" if is_begun_only else block.text
    status = "in_progress" if is_begun_only else "completed"
    item: dict[str, Any] = {"id": _item_id(block, answer_id)}
    if block.kind in ("call", "custom"):
        kind, said = (
            ("custom_tool_call", "input") if block.kind == "custom" else ("function_call", "arguments")
        )
        item |= {"type": kind, "call_id": block.head.get("id"), "name": block.head.get("name")}
        if block.head.get("extra_content"):
            item["extra_content"] = block.head["extra_content"]
        return item | {said: text, "status": status}
    parts = [] if is_begun_only or block.kind == "secret" else [_part(block, text, logprobs or [])]
    if block.kind in ("thought", "secret"):
        item |= {"type": "reasoning", "summary": [], "content": parts, "status": status}
        if not is_begun_only and (details := _details(block)):
            item["encrypted_content"] = sealed(details)
        return item
    return item | {"type": "message", "role": "assistant", "status": status, "content": parts}


def _part(block: Block, text: str, logprobs: list[Any]) -> dict[str, Any]:
    if block.kind == "thought":
        return {"type": "reasoning_text", "text": text}
    if block.kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _details(block: Block) -> list[dict[str, Any]]:
    """A thought that only its own provider can verify, as an entry of `reasoning_details`."""
    shared = {"index": block.key, "format": block.head.get("format")}
    if block.kind == "secret":
        return [{"type": "reasoning.encrypted", "data": block.head.get("data"), **shared}]
    if not block.head.get("signature"):
        return []
    signed = {"text": block.text, "signature": block.head["signature"]}
    return [{"type": "reasoning.text", **signed, **shared}]
