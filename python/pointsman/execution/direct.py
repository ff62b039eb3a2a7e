"""The direct plan: one deployment answers; when it fails before the first byte, the next feasible one does.

Each deployment is called at most once a request, in the decision's rank order. A fault of the caller
(`ProviderError.retryable` is false) ends the request at once: no other deployment would do better.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

from anyio import fail_after

from pointsman.errors import ProviderError, ProvidersExhausted, ProviderTimeout, RequestError
from pointsman.providers.provider import ProviderCall
from pointsman.types import Attempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.providers.provider import Provider, ProviderReply, ProviderStream
    from pointsman.types import Usage


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
    """

    deployment: str
    model: str
    provider: str
    upstream_model: str
    service_tier: str | None
    client: Provider
    max_output_tokens: int | None = None

    def call(self, body: Mapping[str, Any]) -> ProviderCall:
        """The call that asks this deployment to answer `body`."""
        return ProviderCall(
            upstream_model=self.upstream_model,
            service_tier=self.service_tier,
            body=body,
            max_output_tokens=self.max_output_tokens,
        )


class Attempts:
    """Calls made for one request, and the time they took."""

    __slots__ = ("failures", "made", "refusal", "upstream_s")

    def __init__(self) -> None:
        self.made: list[Attempt] = []
        self.failures: list[ProviderError] = []
        self.refusal: RequestError | None = None
        """The first deployment's word that its protocol cannot say what the request asks for."""
        self.upstream_s = 0.0
        """Seconds spent waiting for providers, failed calls included."""

    def succeeded(self, target: Target, status: int, started_s: float) -> None:
        """Note an answered call that was sent at `started_s`."""
        self._note(target, status, None, started_s)

    def failed(self, target: Target, failure: ProviderError, started_s: float) -> None:
        """Note a failed call; raises `failure` when no other deployment would do better."""
        self._note(target, failure.status, failure.code, started_s)
        self.failures.append(failure)
        if not failure.retryable:
            failure.attempts = tuple(self.made)
            raise failure

    def refused(self, refusal: RequestError) -> None:
        """Note that a deployment's protocol cannot say what the request asks for; another's may."""
        self.refusal = self.refusal or refusal

    def exhausted(self) -> ProviderError | RequestError:
        """The error of a request that no deployment answered."""
        error: ProviderError
        if self.refusal is not None and not self.failures:
            return self.refusal
        if not self.failures:
            message = "every deployment of this decision has left the config; ask again"
            error = ProviderError(message, provider="", code="provider_exhausted")
        elif len(self.failures) == 1:
            error = self.failures[0]
        else:
            error = ProvidersExhausted(self.failures, tuple(self.made))
        error.attempts = tuple(self.made)
        return error

    def _note(self, target: Target, status: int | None, error_code: str | None, started_s: float) -> None:
        elapsed_s = perf_counter() - started_s
        self.upstream_s += elapsed_s
        self.made.append(
            Attempt(
                deployment=target.deployment, status=status, error_code=error_code, latency_ms=elapsed_s * 1e3
            )
        )


@contextmanager
def within(deadline_s: float | None, attempts: Attempts) -> Iterator[None]:
    """Give up on providers after `deadline_s` seconds; `None`: never.

    Raises:
        ProviderTimeout: The time is over; its phase is `deadline`.
    """
    if deadline_s is None:
        yield
        return
    try:
        with fail_after(deadline_s):
            yield
    except TimeoutError:
        message = f"no answer within the request's deadline of {deadline_s:g} s; allow more time"
        error = ProviderTimeout(message, provider="", phase="deadline")
        error.attempts = tuple(attempts.made)
        raise error from None


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
        ProvidersExhausted: All of several targets failed.
        RequestError: No target's protocol can say what the body asks for.
    """
    for target in targets:
        started_s = perf_counter()
        try:
            reply = await target.client.complete(target.call(body))
        except RequestError as refusal:
            attempts.refused(refusal)
            continue
        except ProviderError as failure:
            attempts.failed(target, failure, started_s)
            continue
        attempts.succeeded(target, reply.status, started_s)
        return target, reply
    raise attempts.exhausted()


class AnswerStream:
    """A stream that is committed: its first kept token has arrived, so no other deployment takes over.

    An async iterator of every chunk, those before the commit included; always `aclose()` it.
    """

    __slots__ = ("_context", "_first", "_rest", "_stream", "target")

    def __init__(
        self,
        target: Target,
        context: AbstractAsyncContextManager[ProviderStream],
        stream: ProviderStream,
        first: deque[dict[str, Any]],
        rest: AsyncIterator[dict[str, Any]],
    ) -> None:
        self.target = target
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
        return await anext(self._rest)

    async def aclose(self) -> None:
        """Close the upstream connection (at once, if the answer is not complete)."""
        await self._context.__aexit__(None, None, None)


async def open_stream(targets: Iterable[Target], body: Mapping[str, Any], attempts: Attempts) -> AnswerStream:
    """Open a stream at the first target that sends a token; arguments and errors as `complete`."""
    for target in targets:
        started_s = perf_counter()
        try:
            stream = await _committed(target, body)
        except RequestError as refusal:
            attempts.refused(refusal)
            continue
        except ProviderError as failure:
            attempts.failed(target, failure, started_s)
            continue
        attempts.succeeded(target, 200, started_s)
        return stream
    raise attempts.exhausted()


async def _committed(target: Target, body: Mapping[str, Any]) -> AnswerStream:
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
    return AnswerStream(target, context, stream, first, rest)


def commits(chunk: Mapping[str, Any]) -> bool:
    """Whether a chunk carries something the caller will keep: text, a tool call, or the end."""
    for choice in chunk.get("choices") or ():
        if choice.get("finish_reason"):
            return True
        delta = choice.get("delta") or {}
        if any(value for name, value in delta.items() if name != "role"):
            return True
    return False
