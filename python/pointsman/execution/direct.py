"""The direct plan: one deployment answers; when it fails before the first byte, the next feasible one does.

Whose turn it is, and whether anyone is asked twice, is told by `turns`. A fault of the caller
(`ProviderError.retryable` is false) ends the request at once, as no other deployment would do better; but a
request that is too long goes to one with a larger context window.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from anyio import current_time, fail_after

from pointsman.errors import ProviderError, RequestError
from pointsman.execution.attempts import Attempts, deadline_over, within
from pointsman.execution.turns import Turns
from pointsman.providers.provider import ProviderCall
from pointsman.providers.trace import NO_TRACE, current_trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.execution.turns import Turn
    from pointsman.providers.provider import Provider, ProviderReply, ProviderStream
    from pointsman.types import Usage

__all__ = ["AnswerStream", "Attempts", "Target", "commits", "complete", "open_stream", "within"]


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment, ready to be called.

    Attributes:
        deployment: Its name in the catalog.
        model: Name of its model in the catalog.
        provider: Name of its provider.
        upstream_model: What the provider calls the model.
        service_tier: The tier to ask the provider for; `None`: its default.
        client: The provider's adapter.
        max_output_tokens: The most tokens its model can write; `None`: unknown.
        context_window: Tokens of input and output together that its model takes; 0: unknown.
        is_traced: Whether its provider is told the trace that a call is made in.
    """

    deployment: str
    model: str
    provider: str
    upstream_model: str
    service_tier: str | None
    client: Provider
    max_output_tokens: int | None = None
    context_window: int = 0
    is_traced: bool = False

    def call(self, body: Mapping[str, Any]) -> ProviderCall:
        """The call that asks this deployment to answer `body`."""
        return ProviderCall(
            upstream_model=self.upstream_model,
            service_tier=self.service_tier,
            body=body,
            headers=current_trace() if self.is_traced else NO_TRACE,
            max_output_tokens=self.max_output_tokens,
        )


async def complete(
    targets: Iterable[Target], body: Mapping[str, Any], attempts: Attempts
) -> tuple[Target, ProviderReply]:
    """Get a whole answer from the first target that gives one.

    Args:
        targets: Deployments in rank order, at least one.
        body: OpenAI chat body; the adapter sets `model`.
        attempts: Filled in as calls are made.

    Raises:
        ProviderError: The caller's fault, or the only target's failure.
        DeploymentsUnavailable: Some could not be called: unwell, or their rate limits used up.
        ProvidersExhausted: All of several targets failed.
        RequestError: No target's protocol can say what the body asks for.
    """
    async for turn in Turns(targets, attempts):
        try:
            reply = await turn.target.client.complete(turn.target.call(body))
        except RequestError as refusal:
            turn.refused(refusal)
        except ProviderError as failure:
            if not turn.failed(failure):
                raise
        except BaseException:
            turn.abandoned()
            raise
        else:
            turn.answered(reply.usage, reply.headers)
            return turn.target, reply
    raise attempts.exhausted()


class AnswerStream:
    """A stream that is committed: its first kept token has arrived, so no other deployment takes over.

    An async iterator of every chunk, those before the commit included; always `aclose()` it.
    """

    __slots__ = ("_attempts", "_context", "_failure", "_first", "_rest", "_stream", "_turn", "target")

    def __init__(
        self,
        target: Target,
        context: AbstractAsyncContextManager[ProviderStream],
        stream: ProviderStream,
        first: deque[dict[str, Any]],
        rest: AsyncIterator[dict[str, Any]],
        turn: Turn,
        attempts: Attempts,
    ) -> None:
        self.target = target
        self._turn = turn
        self._attempts = attempts
        self._failure: ProviderError | None = None
        self._context = context
        self._stream = stream
        self._first = first
        self._rest = rest

    @property
    def headers(self) -> Mapping[str, str]:
        """Upstream rate-limit headers, lower-case names."""
        return self._stream.headers

    @property
    def usage(self) -> Usage | None:
        """Tokens used, once the upstream has said."""
        return self._stream.usage

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if self._first:
            return self._first.popleft()
        try:
            if self._attempts.deadline_at_s is None:
                return await anext(self._rest)
            return await self._next_before(self._attempts.deadline_at_s)
        except ProviderError as failure:
            self._failure = failure
            raise

    async def _next_before(self, deadline_at_s: float) -> dict[str, Any]:
        try:
            with fail_after(deadline_at_s - current_time()):
                return await anext(self._rest)
        except TimeoutError:
            raise self._attempts.given_up(deadline_over(self._attempts.deadline_s or 0.0)) from None

    async def aclose(self) -> None:
        """Close the upstream connection (at once, if the answer is not complete)."""
        try:
            await self._context.__aexit__(None, None, None)
        finally:
            self._turn.ended(self.usage, self._failure)
            self._failure = None  # its traceback holds this stream


async def open_stream(targets: Iterable[Target], body: Mapping[str, Any], attempts: Attempts) -> AnswerStream:
    """Open a stream at the first target that sends a token; arguments and errors as `complete`."""
    async for turn in Turns(targets, attempts):
        try:
            stream = await _committed(turn, body, attempts)
        except RequestError as refusal:
            turn.refused(refusal)
        except ProviderError as failure:
            if not turn.failed(failure):
                raise
        except BaseException:
            turn.abandoned()
            raise
        else:
            turn.committed(stream.headers)
            return stream
    raise attempts.exhausted()


async def _committed(turn: Turn, body: Mapping[str, Any], attempts: Attempts) -> AnswerStream:
    target = turn.target
    context = target.client.stream(target.call(body))
    stream = await context.__aenter__()
    first: deque[dict[str, Any]] = deque()
    rest = aiter(stream)
    try:
        async for chunk in rest:
            first.append(chunk)
            if commits(chunk):
                break
        else:
            raise ProviderError(
                f"provider {target.provider!r}: the stream ended without a token",
                provider=target.provider,
                code="provider_malformed",
            )
    except BaseException as error:
        await context.__aexit__(type(error), error, error.__traceback__)
        raise
    return AnswerStream(target, context, stream, first, rest, turn, attempts)


def commits(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk carries something the caller will keep: text, a tool call, or the end."""
    for choice in chunk.get("choices") or ():
        if choice.get("finish_reason"):
            return True
        delta = choice.get("delta") or {}
        if any(value for name, value in delta.items() if name != "role"):
            return True
    return False
