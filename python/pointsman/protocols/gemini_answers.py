"""An answer of Gemini's generateContent as an OpenAI chat completion, whole and as chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WITHHELD = "content_filter"
FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
        "IMAGE_RECITATION ESCALATION PUP_LIMITED_DISABLED MODEL_ARMOR".split(),
        _WITHHELD,
    ),
}
"""OpenAI's finish reason of each finish reason; of others `stop`."""
FAILURES = frozenset(
    "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL MALFORMED_RESPONSE MISSING_THOUGHT_SIGNATURE "
    "TOO_MANY_TOOL_CALLS".split()
)
"""Finish reasons of an answer that is none."""


def completion_of_response(response: Mapping[str, Any], created_s: int, answer_id: str) -> dict[str, Any]:
    """Translate a whole response into a chat completion.

    Args:
        response: A checked response: its candidates are objects.
        created_s: Unix time the completion carries.
        answer_id: Id of the completion, and start of the ids of its calls, where Gemini gives none.
    """
    head = _head(response, created_s, answer_id, "chat.completion")
    choices = [
        _choice(candidate, place, head["id"]) for place, candidate in enumerate(candidates_of(response))
    ]
    completion = {**head, "choices": choices}
    if isinstance(response.get("usageMetadata"), dict):
        completion["usage"] = chat_usage(response["usageMetadata"])
    return completion


def candidates_of(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The candidates; a prompt that was blocked has one, which is withheld."""
    if candidates := response.get("candidates"):
        return list(candidates)
    blocked = (response.get("promptFeedback") or {}).get("blockReason")
    return [{"finishReason": "SAFETY", "native": blocked}] if blocked else []


def chat_usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Gemini's usage as OpenAI's: there the output counts the thoughts, the input what tools returned."""
    n_input = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    n_thoughts = _count(usage, "thoughtsTokenCount")
    n_output = _count(usage, "candidatesTokenCount") + n_thoughts
    return {
        "prompt_tokens": n_input,
        "completion_tokens": n_output,
        "total_tokens": n_input + n_output,
        "prompt_tokens_details": {"cached_tokens": _count(usage, "cachedContentTokenCount")},
        "completion_tokens_details": {"reasoning_tokens": n_thoughts},
    }


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _head(response: Mapping[str, Any], created_s: int, answer_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": response.get("responseId") or answer_id,
        "object": kind,
        "created": created_s,
        "model": response.get("modelVersion"),
    }


def _choice(candidate: Mapping[str, Any], place: int, answer_id: str) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": None}
    for delta in _deltas(candidate, f"{answer_id}_{place}", 0):
        for name, value in delta.items():
            known = said.get(name)
            said[name] = (
                value if known is None else known | value if isinstance(known, dict) else known + value
            )
    for call in said.get("tool_calls") or ():
        del call["index"]
    index = candidate.get("index", place)
    finish = _finish(candidate, bool(said.get("tool_calls")))
    return {"index": index, "message": said, "logprobs": _logprobs(candidate), **finish}


def _deltas(candidate: Mapping[str, Any], prefix: str, n_calls: int) -> Iterator[dict[str, Any]]:
    """What each part of a candidate adds; `n_calls` calls came before."""
    for part in (candidate.get("content") or {}).get("parts") or ():
        signature = part.get("thoughtSignature")
        extra = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
        if isinstance(part.get("functionCall"), dict):
            call = part["functionCall"]
            arguments = orjson.dumps(call.get("args") or {}).decode()
            yield {
                "tool_calls": [
                    {
                        "index": n_calls,
                        "id": call.get("id") or f"call_{prefix}_{n_calls}",
                        "type": "function",
                        "function": {"name": call.get("name"), "arguments": arguments},
                        **extra,
                    }
                ]
            }
            n_calls += 1
        elif isinstance(part.get("inlineData"), dict):
            data = part["inlineData"]
            url = f"data:{data.get('mimeType')};base64,{data.get('data')}"
            yield {"images": [{"type": "image_url", "image_url": {"url": url}}], **extra}
        elif part.get("text") or extra:
            name = "reasoning_content" if part.get("thought") else "content"
            yield {name: part.get("text") or "", **extra}


def _finish(candidate: Mapping[str, Any], calls_tools: bool) -> dict[str, Any]:
    """The fields of a choice that say why the model stopped; `finish_reason` is null while it goes on."""
    reason = candidate.get("finishReason")
    if not reason:
        return {"finish_reason": None}
    finish = FINISH_REASONS.get(reason, "stop")
    return {
        "finish_reason": "tool_calls" if finish == "stop" and calls_tools else finish,
        "native_finish_reason": candidate.get("native") or reason,
    }


def _logprobs(candidate: Mapping[str, Any]) -> dict[str, Any] | None:
    result = candidate.get("logprobsResult")
    if not isinstance(result, dict):
        return None
    tops = result.get("topCandidates") or []
    tokens = []
    for place, chosen in enumerate(result.get("chosenCandidates") or ()):
        top = tops[place].get("candidates") or [] if place < len(tops) else []
        tokens.append({**_logprob(chosen), "top_logprobs": [_logprob(each) for each in top]})
    return {"content": tokens, "refusal": None}


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    text = token.get("token") or ""
    return {"token": text, "logprob": token.get("logProbability"), "bytes": list(text.encode())}


class ChunksOfResponses:
    """The responses of one stream as chat chunks.

    Attributes:
        usage: The chat usage as the newest response has it.
    """

    def __init__(self, created_s: int, answer_id: str) -> None:
        self.usage: dict[str, Any] | None = None
        self._created_s = created_s
        self._answer_id = answer_id
        self._head: dict[str, Any] = {}
        self._n_calls: dict[int, int] = {}
        """Calls made so far, by candidate; those that have begun have a number."""
        self._finished: set[int] = set()

    @property
    def is_finished(self) -> bool:
        """Whether every candidate that began has ended."""
        return bool(self._n_calls) and self._n_calls.keys() == self._finished

    def feed(self, response: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks that a response stands for."""
        kind = "chat.completion.chunk"
        self._head = self._head or _head(response, self._created_s, self._answer_id, kind)
        if isinstance(response.get("usageMetadata"), dict):
            self.usage = chat_usage(response["usageMetadata"])
        return [
            chunk
            for place, candidate in enumerate(candidates_of(response))
            for chunk in self._candidate(candidate, candidate.get("index", place))
        ]

    def last(self) -> dict[str, Any]:
        """The chunk with the usage, after all others."""
        return {**self._head, "choices": [], "usage": self.usage}

    def _candidate(self, candidate: Mapping[str, Any], index: int) -> Iterator[dict[str, Any]]:
        if index not in self._n_calls:
            self._n_calls[index] = 0
            yield self._chunk(index, {"role": "assistant", "content": ""}, {"finish_reason": None})
        prefix = f"{self._head['id']}_{index}"
        logprobs = _logprobs(candidate)
        for delta in _deltas(candidate, prefix, self._n_calls[index]):
            self._n_calls[index] += len(delta.get("tool_calls") or ())
            yield self._chunk(index, delta, {"finish_reason": None, "logprobs": logprobs})
            logprobs = None
        finish = _finish(candidate, bool(self._n_calls[index]))
        if finish["finish_reason"]:
            self._finished.add(index)
            yield self._chunk(index, {}, finish)

    def _chunk(self, index: int, delta: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": index, "delta": delta, **rest}]}
