"""A provider that answers from a script: the double for tests, ours and yours.

    provider = ScriptedProvider("sim", [Failure(status=429, retry_after_s=1), Answer("hello")])
    router = Router.from_config(config, providers={"sim": provider})

Each call takes the next step of the script; the last step is repeated for ever. Works under asyncio and trio,
streaming and not, and makes no connection. `provider.calls` holds every call it got.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from pointsman.errors import ProviderError
from pointsman.providers.answers import error_of
from pointsman.providers.provider import ProviderReply
from pointsman.types import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from pointsman.providers.provider import ProviderCall

_CREATED_S = 1_760_000_000
_USAGE = Usage(n_input_tokens=10, n_output_tokens=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answers.

    Attributes:
        text: Content of the answer.
        usage: Tokens reported; `None`: none are.
        tool_calls: Tool calls in OpenAI's shape, instead of the text.
        finish_reason: Why the answer ends.
        headers: Rate-limit headers, lower-case names.
        latency_s: Time before the answer, or before a stream's first chunk.
        n_chunks: Into how many chunks a stream cuts the text, >= 1.
        chunk_latency_s: Time before each further chunk.
    """

    text: str = ""
    usage: Usage | None = _USAGE
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    finish_reason: str = "stop"
    headers: Mapping[str, str] = field(default_factory=dict)
    latency_s: float = 0.0
    n_chunks: int = 2
    chunk_latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Fails as an upstream answer with this status would.

    Attributes:
        status: HTTP status, >= 300.
        retry_after_s: What the upstream asks to wait.
        error: The upstream's error object.
        latency_s: Time before the failure.
        exception: Raised instead, if given.
    """

    status: int = 500
    retry_after_s: float | None = None
    error: Mapping[str, Any] = field(default_factory=dict)
    latency_s: float = 0.0
    exception: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answers, or falls silent in the middle of a stream; ends when it is cancelled.

    Attributes:
        after_chunks: Chunks a stream sends before it falls silent.
        text: Content of each.
    """

    after_chunks: int = 0
    text: str = "word "


@dataclass(frozen=True, slots=True)
class BrokenStream:
    """A stream that breaks off; without streaming, a connection that broke.

    Attributes:
        after_chunks: Chunks sent before it breaks.
        text: Content of each.
    """

    after_chunks: int = 1
    text: str = "word "


Step = Answer | Failure | Hang | BrokenStream


class ScriptedProvider:
    """A `Provider` that answers from a script.

    Args:
        name: Name of the provider in the catalog.
        script: Steps, one a call; the last one repeats.
        sleep: Waits the given seconds; replace it to test without waiting.
        models: What `list_models` returns.

    Attributes:
        calls: Every call, in order, streams included.
        n_cancelled: Calls and streams that were left before their end.
        is_closed: Whether `aclose` was called.
    """

    def __init__(
        self,
        name: str,
        script: Iterable[Step] = (Answer("ok"),),
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        models: Iterable[str] = (),
    ) -> None:
        self.name = name
        self._script = list(script)
        if not self._script:
            raise ValueError("the script is empty; give it at least one step, such as Answer('ok')")
        self._sleep = sleep
        self._models = sorted(models)
        self.calls: list[ProviderCall] = []
        self.n_cancelled = 0
        self.is_closed = False

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Take the next step."""
        step = self._next(call)
        try:
            await self._before(step)
        except BaseException as error:
            self.n_cancelled += not isinstance(error, ProviderError)
            raise
        if isinstance(step, BrokenStream):
            raise self._broken()
        assert isinstance(step, Answer)  # noqa: S101 - the other steps have raised
        return ProviderReply(
            body=_completion(step, call), usage=step.usage, headers=dict(step.headers), status=200
        )

    def stream(self, call: ProviderCall) -> _ScriptedStream:
        """Take the next step, as a stream."""
        return _ScriptedStream(self, call)

    async def list_models(self) -> list[str]:
        """Return the names given."""
        return list(self._models)

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.is_closed = True

    def _next(self, call: ProviderCall) -> Step:
        step = self._script[min(len(self.calls), len(self._script) - 1)]
        self.calls.append(call)
        return step

    async def _before(self, step: Step, *, is_stream: bool = False) -> None:
        """What happens before the first byte: waiting, failing, hanging."""
        if isinstance(step, Hang) and not (step.after_chunks and is_stream):
            await anyio.sleep_forever()
        elif isinstance(step, Answer | Failure) and step.latency_s > 0:
            await self._sleep(step.latency_s)
        if isinstance(step, Failure):
            raise step.exception or self._failure(step)

    def _failure(self, step: Failure) -> ProviderError:
        headers = {} if step.retry_after_s is None else {"retry-after": f"{step.retry_after_s:g}"}
        error = error_of(self.name, step.status, headers, b"")
        if step.error and not error.retryable:
            error.body = dict(step.error)
        return error

    def _broken(self) -> ProviderError:
        return ProviderError(
            f"provider {self.name!r}: the stream broke, as scripted",
            provider=self.name,
            code="provider_stream_broken",
        )


class _ScriptedStream:
    """The async context manager, and the `ProviderStream` it gives."""

    def __init__(self, provider: ScriptedProvider, call: ProviderCall) -> None:
        self._provider = provider
        self._call = call
        self._is_over = False
        self.headers: dict[str, str] = {}
        self.usage: Usage | None = None

    async def __aenter__(self) -> Self:
        self._step = self._provider._next(self._call)
        try:
            await self._provider._before(self._step, is_stream=True)
        except BaseException as error:
            self._provider.n_cancelled += not isinstance(error, ProviderError)
            raise
        if isinstance(self._step, Answer):
            self.headers = dict(self._step.headers)
        self._chunks = iter(_chunks(self._step, self._call))
        self._n_sent = 0
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._provider.n_cancelled += not self._is_over

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        step = self._step
        chunk = next(self._chunks, None)
        if chunk is None and isinstance(step, Hang):
            await anyio.sleep_forever()
        if chunk is None:
            self._is_over = True
            if isinstance(step, BrokenStream):
                raise self._provider._broken()
            raise StopAsyncIteration
        if isinstance(step, Answer):
            if self._n_sent and step.chunk_latency_s > 0:
                await self._provider._sleep(step.chunk_latency_s)
            if chunk.get("usage"):
                self.usage = step.usage
        self._n_sent += 1
        return chunk


def _head(call: ProviderCall, kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": _CREATED_S,
        "model": call.upstream_model,
    }


def _completion(step: Answer, call: ProviderCall) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if step.tool_calls else step.text}
    if step.tool_calls:
        message["tool_calls"] = [dict(tool_call) for tool_call in step.tool_calls]
    body = _head(call, "chat.completion")
    body["choices"] = [
        {"index": 0, "message": message, "logprobs": None, "finish_reason": step.finish_reason}
    ]
    if step.usage is not None:
        body["usage"] = _usage(step.usage)
    return body


def _chunks(step: Step, call: ProviderCall) -> list[dict[str, Any]]:
    if isinstance(step, BrokenStream | Hang):
        return [_chunk(call, {"content": step.text}) for _ in range(step.after_chunks)]
    assert isinstance(step, Answer)  # noqa: S101 - the other steps never come this far
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in _cut(step.text, step.n_chunks)]
    if step.tool_calls:
        calls = [{"index": i, **tool_call} for i, tool_call in enumerate(step.tool_calls)]
        deltas = [{"tool_calls": calls}]
    chunks = [_chunk(call, {"role": "assistant", "content": ""})]
    chunks += [_chunk(call, delta) for delta in deltas]
    chunks.append(_chunk(call, {}, step.finish_reason))
    if step.usage is not None:
        chunks.append(_head(call, "chat.completion.chunk") | {"choices": [], "usage": _usage(step.usage)})
    return chunks


def _chunk(call: ProviderCall, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _head(call, "chat.completion.chunk") | {"choices": [choice]}


def _cut(text: str, n_pieces: int) -> list[str]:
    """Cut a text into at most `n_pieces` pieces of about equal length, none empty."""
    n_chars = max(1, -(-len(text) // max(1, n_pieces)))
    return [text[i : i + n_chars] for i in range(0, len(text), n_chars)]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.n_input_tokens,
        "completion_tokens": usage.n_output_tokens,
        "total_tokens": usage.n_input_tokens + usage.n_output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.n_cached_input_tokens,
            "cache_write_tokens": usage.n_cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.n_reasoning_tokens},
    }
