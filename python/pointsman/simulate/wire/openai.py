"""OpenAI's chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.simulate.answers import Answer
    from pointsman.simulate.provider import Call
    from pointsman.simulate.wire.reply import UsageKind

_TYPES = {401: "authentication_error", 404: "invalid_request_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


class OpenAIDialect:
    """How OpenAI says it. `created_s` is the Unix time answers carry."""

    def __init__(self, created_s: int) -> None:
        self._created_s = created_s

    def whole(self, call: Call, said: Answer, usage: UsageKind) -> dict[str, Any]:
        """A `chat.completion`."""
        message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None}
        if said.tool_call:
            message |= {"content": None, "tool_calls": [_tool_call(call, said, said.text)]}
        logprobs = {"content": [_logprob(piece) for piece in said.pieces]} if _wants_logprobs(call) else None
        choice = {"message": message, "logprobs": logprobs, "finish_reason": said.finish_reason}
        choices = [{"index": index, **choice} for index in range(_n_choices(call))]
        body = self._envelope(call, "chat.completion", choices)
        return body if usage == "none" else body | {"usage": _usage(call, said, usage)}

    def opening(self, call: Call, said: Answer) -> bytes:
        """The chunk with the role, and a tool call's name."""
        first: dict[str, Any] = {"role": "assistant", "content": ""}
        if said.tool_call:
            first = {"role": "assistant", "content": None}
            first["tool_calls"] = [{"index": 0, **_tool_call(call, said, "")}]
        return self._chunks(call, first)

    def token(self, call: Call, said: Answer, index: int) -> bytes:
        """The chunk of one token."""
        piece = said.pieces[index]
        if said.tool_call:
            return self._chunks(call, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        return self._chunks(call, {"content": piece}, logprobs=_logprob(piece))

    def closing(self, call: Call, said: Answer, usage: UsageKind, *, is_done: bool) -> bytes:
        """The finish reason, the usage if it was asked for, `[DONE]`."""
        events = self._chunks(call, {}, said.finish_reason)
        body: Mapping[str, Any] = call.ask.body or {}
        if usage != "none" and (body.get("stream_options") or {}).get("include_usage"):
            envelope = self._envelope(call, "chat.completion.chunk", [])
            events += _event(envelope | {"usage": _usage(call, said, usage)})
        return events + b"data: [DONE]\n\n" if is_done else events

    def error(self, status: int, message: str) -> dict[str, Any]:
        """OpenAI's error object."""
        kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": _CODES.get(status)}}

    def error_event(self) -> bytes:
        """An error object as an event."""
        return _event(self.error(500, "simulated failure in the middle of a stream"))

    def _chunks(
        self, call: Call, delta: Mapping[str, Any], finish_reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        shown = {"content": [logprobs]} if logprobs and _wants_logprobs(call) else None
        choice = {"delta": delta, "logprobs": shown, "finish_reason": finish_reason}
        return b"".join(
            _event(self._envelope(call, "chat.completion.chunk", [{"index": index, **choice}]))
            for index in range(_n_choices(call))
        )

    def _envelope(self, call: Call, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-simulated-{call.provider}-{call.number}",
            "object": kind,
            "created": self._created_s,
            "model": call.ask.model,
            "system_fingerprint": "simulated",
            "choices": choices,
        }


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _n_choices(call: Call) -> int:
    return int((call.ask.body or {}).get("n") or 1)


def _wants_logprobs(call: Call) -> bool:
    return bool((call.ask.body or {}).get("logprobs"))


def _logprob(piece: str) -> dict[str, Any]:
    return {"token": piece, "logprob": -0.1, "bytes": list(piece.encode()), "top_logprobs": []}


def _tool_call(call: Call, said: Answer, arguments: str) -> dict[str, Any]:
    name = said.tool_call.name if said.tool_call else ""
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{call.provider}_{call.number}", "type": "function", "function": function}


def _usage(call: Call, said: Answer, kind: UsageKind) -> dict[str, Any]:
    n_input, n_output = call.ask.n_input_tokens, len(said.pieces) * _n_choices(call)
    if kind == "wrong":
        # Cached tokens above the input, reasoning above the output, a total below either.
        details = {"cached_tokens": n_input + 1000}
        reasoning = {"reasoning_tokens": n_output + 1000}
        parts = {"prompt_tokens_details": details, "completion_tokens_details": reasoning}
        return {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": 1, **parts}
    return {
        "prompt_tokens": n_input,
        "completion_tokens": n_output,
        "total_tokens": n_input + n_output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
