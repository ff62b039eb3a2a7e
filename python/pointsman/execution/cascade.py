"""The cascade: the cheap deployment answers, its answer is looked at, and the next is asked where that pays.

Nothing of an answer leaves before it is kept: of a stream the chunks are held back until the verifiers have
spoken. A step that fails is passed over. An answer that was not kept still serves if every later step fails,
as long as no gate failed and it is likelier to be good than the caller's floor.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, Self

from anyio import CancelScope, to_thread

from pointsman.errors import PointsmanError, ProviderError, RequestError
from pointsman.execution import direct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pointsman.execution.direct import AnswerStream, Attempts, Target
    from pointsman.providers.provider import ProviderReply
    from pointsman.types import Usage


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was made of an answer.

    Attributes:
        is_kept: Whether it is the answer.
        p_good: Probability that it is good, in [0, 1]; 0 if a gate failed.
    """

    is_kept: bool
    p_good: float


@dataclass(frozen=True, slots=True)
class Discarded:
    """A call that was paid for and whose answer does not serve.

    Attributes:
        target: Who was called.
        usage: Tokens it reported; `None`: none, or it was cut off before.
        body: The answer; empty if none came.
        p_good: Probability that it was good; `None`: it was not looked at.
    """

    target: Target
    usage: Usage | None
    body: Mapping[str, Any] = field(default_factory=dict)
    p_good: float | None = None


class Judge(Protocol):
    """Looks at the answers of one request's steps, in their order."""

    floor: float
    """Least probability of being good with which an answer that was not kept may serve after all."""

    def body(self, step: int, target: Target) -> Mapping[str, Any]:
        """What a step's deployment is asked."""

    def clean(self, answer: dict[str, Any]) -> None:
        """Take out of an answer, or a chunk of one, what only the verifiers asked for."""

    def look(self, step: int, body: Mapping[str, Any], *, is_whole: bool) -> Verdict:
        """Look at the answer of a step; may take a while, and runs in a thread."""

    def passed_over(self, step: int) -> None:
        """Note that a step gave no answer."""

    def assembled(self, chunks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The answer that chunks of a stream make."""


async def complete(
    steps: Sequence[Target],
    spare: Sequence[Target],
    judge: Judge,
    attempts: Attempts,
    discarded: list[Discarded],
) -> tuple[Target, ProviderReply]:
    """Get the whole answer of the first step that gives one worth keeping.

    Args:
        steps: Deployments in the plan's order, at least one; the last one's answer is kept as it is.
        spare: Who is asked if the last step fails.
        judge: Looks at answers.
        attempts: Filled in as calls are made.
        discarded: Filled in with the calls whose answers do not serve.

    Raises:
        ProviderError: As `direct.complete`, of the last step that failed.
    """
    held: list[tuple[Discarded, ProviderReply]] = []
    for step, target in enumerate(steps):
        is_last = step + 1 == len(steps)
        targets = [target, *spare] if is_last else [target]
        part = _part_of(attempts)
        part.may_wait = is_last
        try:
            found, reply = await direct.complete(targets, judge.body(step, target), part)
        except (ProviderError, RequestError) as failure:
            _join(attempts, part)
            judge.passed_over(step)
            if not is_last and _may_go_on(failure):
                continue
            best = _best_of(held, judge.floor)
            if best is None or not _may_go_on(failure):
                raise _with_all(failure, attempts) from None
            discarded[:] = [each for each in discarded if each is not best[0]]
            return best[0].target, best[1]
        _join(attempts, part)
        if is_last:
            return found, reply
        verdict = await to_thread.run_sync(partial(judge.look, step, reply.body, is_whole=True))
        judge.clean(reply.body)
        if verdict.is_kept:
            return found, reply
        _reject(attempts)
        rejected = Discarded(found, reply.usage, reply.body, verdict.p_good)
        discarded.append(rejected)
        held.append((rejected, reply))
    raise attempts.exhausted()


class HeldStream:
    """A stream whose first chunks were held back until they were worth keeping; as an `AnswerStream`."""

    __slots__ = ("_clean", "_held", "_is_over", "_stream", "target")

    def __init__(
        self,
        stream: AnswerStream,
        held: deque[dict[str, Any]],
        clean: Callable[[dict[str, Any]], None],
        *,
        is_over: bool,
    ) -> None:
        self.target = stream.target
        self._clean = clean
        self._stream = stream
        self._held = held
        self._is_over = is_over

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
        if self._held:
            chunk = self._held.popleft()
        elif self._is_over:
            raise StopAsyncIteration
        else:
            chunk = await anext(self._stream)
        self._clean(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the upstream connection (at once, if the answer is not complete)."""
        await self._stream.aclose()


async def open_stream(
    steps: Sequence[Target],
    spare: Sequence[Target],
    judge: Judge,
    attempts: Attempts,
    discarded: list[Discarded],
    *,
    max_chunks: int | None = None,
) -> AnswerStream | HeldStream:
    """Open the stream of the first step whose answer is worth keeping; arguments and errors as `complete`.

    With `max_chunks` an answer is looked at after so many chunks, and what follows is sent on as it comes;
    else once it is whole.
    """
    best: HeldStream | None = None
    p_best = judge.floor
    for step, target in enumerate(steps):
        is_last = step + 1 == len(steps)
        targets = [target, *spare] if is_last else [target]
        part = _part_of(attempts)
        part.may_wait = is_last
        try:
            stream = await direct.open_stream(targets, judge.body(step, target), part)
            _join(attempts, part)
            if is_last:
                return stream
            held, is_over = await _hold(stream, attempts, max_chunks)
        except (ProviderError, RequestError) as failure:
            if part.made and part.made[-1] not in attempts.made:
                _join(attempts, part)
            judge.passed_over(step)
            if not is_last and _may_go_on(failure):
                continue
            if best is None or not _may_go_on(failure):
                raise _with_all(failure, attempts) from None
            discarded[:] = [each for each in discarded if each.target is not best.target]
            return best
        body = judge.assembled(held)
        verdict = await _looked_at(judge, step, body, stream, is_whole=is_over)
        if verdict.is_kept:
            return HeldStream(stream, held, judge.clean, is_over=is_over)
        await stream.aclose()
        _reject(attempts)
        discarded.append(Discarded(stream.target, stream.usage, body, verdict.p_good))
        if is_over and verdict.p_good > 0.0 and verdict.p_good >= p_best:
            best, p_best = HeldStream(stream, held, judge.clean, is_over=True), verdict.p_good
    raise attempts.exhausted()


async def _hold(
    stream: AnswerStream, attempts: Attempts, max_chunks: int | None
) -> tuple[deque[dict[str, Any]], bool]:
    """Read a stream to its end, or up to so many chunks; whether it has ended. Closes it if reading fails."""
    held: deque[dict[str, Any]] = deque()
    waited_from_s = perf_counter()
    try:
        async for chunk in stream:
            held.append(chunk)
            if max_chunks is not None and len(held) >= max_chunks:
                return held, False
    except BaseException:
        with CancelScope(shield=True):
            await stream.aclose()
        raise
    finally:
        attempts.upstream_s += perf_counter() - waited_from_s
    return held, True


async def _looked_at(
    judge: Judge, step: int, body: Mapping[str, Any], stream: AnswerStream, *, is_whole: bool
) -> Verdict:
    try:
        return await to_thread.run_sync(partial(judge.look, step, body, is_whole=is_whole))
    except BaseException:
        with CancelScope(shield=True):
            await stream.aclose()
        raise


def _part_of(attempts: Attempts) -> Attempts:
    """Attempts of one step, which knows nothing of those before: going on is no retry, and nobody waits."""
    part = copy(attempts)
    part.made, part.failures, part.away, part.upstream_s = [], [], {}, 0.0
    part.may_wait = False
    return part


def _join(attempts: Attempts, part: Attempts) -> None:
    attempts.made += part.made
    attempts.failures += part.failures
    part.failures = []
    attempts.upstream_s += part.upstream_s


def _reject(attempts: Attempts) -> None:
    """Mark the last call as one whose answer was not kept."""
    if attempts.made:
        attempts.made[-1] = replace(attempts.made[-1], is_rejected=True)


def _may_go_on(failure: PointsmanError) -> bool:
    """Whether another deployment may do better: not where the caller is at fault."""
    return not isinstance(failure, ProviderError) or failure.retryable


def _best_of(
    held: Sequence[tuple[Discarded, ProviderReply]], floor: float
) -> tuple[Discarded, ProviderReply] | None:
    """The likeliest answer that may serve after all."""
    fit = [each for each in held if (each[0].p_good or 0.0) > 0.0 and (each[0].p_good or 0.0) >= floor]
    return max(fit, key=lambda each: each[0].p_good or 0.0, default=None)


def _with_all(failure: ProviderError | RequestError, attempts: Attempts) -> ProviderError | RequestError:
    if isinstance(failure, ProviderError):
        failure.attempts = tuple(attempts.made)
    return failure
