"""The race: a second deployment is asked when the first is late, or at once; the first good answer wins.

The loser is cancelled where it stands, which closes its connection. Hedging after a high percentile cuts the
tail at little cost (Dean and Barroso, "The Tail at Scale", 2013); a bucket keeps extra requests to a share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from pointsman.errors import ProviderError, RequestError
from pointsman.execution import direct
from pointsman.execution.cascade import Discarded, _join, _part_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pointsman.execution.direct import AnswerStream, Attempts, Target
    from pointsman.providers.provider import ProviderReply

Won = TypeVar("Won")

SHARE = 0.05
"""Extra requests that may be made, as a share of all (Finagle's backup requests); chosen."""
_MOST_SAVED = 10.0
"""Extra requests that may be made in a row after a quiet time."""


class HedgeBudget:
    """A bucket that every request fills by a share, and every extra one empties by one. Not thread-safe."""

    def __init__(self, share: float = SHARE, most: float = _MOST_SAVED) -> None:
        self._share = share
        self._most = most
        self._left = 0.0

    def earn(self) -> None:
        """Note a request that may be hedged."""
        self._left = min(self._most, self._left + self._share)

    def spend(self) -> bool:
        """Take leave for one extra request, if there is any."""
        if self._left < 1.0 - 1e-9:
            return False
        self._left -= 1.0
        return True


@dataclass(frozen=True, slots=True)
class Entrants:
    """Who races.

    Attributes:
        first: Asked at once.
        second: Asked when the first is late, or has failed.
        after_s: Seconds until then; 0: at once.
        spare: Who is asked if both fail.
    """

    first: Target
    second: Target
    after_s: float
    spare: Sequence[Target] = ()


async def complete(
    entrants: Entrants,
    body: Mapping[str, Any],
    attempts: Attempts,
    discarded: list[Discarded],
    *,
    permit: Callable[[], bool],
    is_good: Callable[[Mapping[str, Any]], bool],
) -> tuple[Target, ProviderReply]:
    """Get the first whole answer that is good; if none is, the first that came.

    Args:
        entrants: Who races.
        body: OpenAI chat body.
        attempts: Filled in as calls are made.
        discarded: Filled in with the calls whose answers do not serve.
        permit: Whether an extra request may be made; asked once, when it is due. Not for a race at once.
        is_good: Whether an answer is within bounds.

    Raises:
        ProviderError: As `direct.complete`, if nobody answered.
    """

    async def call(target: Target, part: Attempts) -> tuple[Target, ProviderReply]:
        return await direct.complete([target], body, part)

    async def no_close(_: tuple[Target, ProviderReply]) -> None:
        return None

    race = _Race(entrants, attempts, call, no_close, permit, lambda won: is_good(won[1].body))
    won = await race.run()
    for target, lost in race.lost:
        discarded.append(Discarded(target, lost[1].usage if lost else None, lost[1].body if lost else {}))
    if won is not None:
        return won
    return await direct.complete(entrants.spare, body, attempts)


async def open_stream(
    entrants: Entrants,
    body: Mapping[str, Any],
    attempts: Attempts,
    discarded: list[Discarded],
    *,
    permit: Callable[[], bool],
) -> AnswerStream:
    """Open the stream that sends a token first; arguments and errors as `complete`."""

    async def call(target: Target, part: Attempts) -> AnswerStream:
        return await direct.open_stream([target], body, part)

    race = _Race(entrants, attempts, call, lambda stream: stream.aclose(), permit, lambda _: True)
    won = await race.run()
    discarded += [Discarded(target, lost.usage if lost else None) for target, lost in race.lost]
    if won is not None:
        return won
    return await direct.open_stream(entrants.spare, body, attempts)


class _Race(Generic[Won]):
    """One race. `lost` holds who was called in vain, with the answer if one came."""

    def __init__(
        self,
        entrants: Entrants,
        attempts: Attempts,
        call: Callable[[Target, Attempts], Awaitable[Won]],
        close: Callable[[Won], Awaitable[None]],
        permit: Callable[[], bool],
        is_good: Callable[[Won], bool],
    ) -> None:
        self._entrants = entrants
        self._attempts = attempts
        self._call = call
        self._close = close
        self._permit = permit
        self._is_good = is_good
        self._winner: Won | None = None
        self._runner_up: tuple[Target, Won] | None = None
        self._running: dict[str, Target] = {}
        self._parts: list[Attempts] = []
        self._first_over = anyio.Event()
        self._winners: Attempts | None = None
        self._fault: ProviderError | None = None
        self.lost: list[tuple[Target, Won | None]] = []

    async def run(self) -> Won | None:
        """The winner; `None` if both failed.

        Raises:
            ProviderError: The caller is at fault.
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._run, self._entrants.first, group.cancel_scope)
                group.start_soon(self._run_second, group.cancel_scope)
        except BaseException:
            # The caller has left: whoever won is wanted no more.
            await self._drop(self._winner)
            await self._drop(self._runner_up[1] if self._runner_up else None)
            raise
        finally:
            self._settle()
        if self._fault is not None:
            try:
                raise self._fault
            finally:
                self._fault = None  # its traceback holds this race
        self.lost += [(target, None) for target in self._running.values()]
        if self._winner is None and self._runner_up is not None:
            return self._runner_up[1]
        if self._runner_up is not None:
            self.lost.append(self._runner_up)
            await self._drop(self._runner_up[1])
        return self._winner

    async def _run_second(self, scope: anyio.CancelScope) -> None:
        entrants = self._entrants
        if entrants.after_s > 0:
            with anyio.move_on_after(entrants.after_s):
                await self._first_over.wait()
            # A first that has failed is replaced; one that is late, only within the budget.
            if self._winner is not None or not (self._first_over.is_set() or self._permit()):
                return
        await self._run(entrants.second, scope)

    async def _run(self, target: Target, scope: anyio.CancelScope) -> None:
        part = _part_of(self._attempts)
        self._parts.append(part)
        self._running[target.deployment] = target
        try:
            answer = await self._call(target, part)
        except (ProviderError, RequestError) as failure:
            self._running.pop(target.deployment)
            if isinstance(failure, ProviderError) and not failure.retryable:
                self._fault = failure
                scope.cancel()
        else:
            self._running.pop(target.deployment)
            if self._winner is None and self._is_good(answer):
                self._winner, self._winners = answer, part
                scope.cancel()
            elif self._runner_up is None:
                self._runner_up = (target, answer)
            else:
                await self._drop(answer)
        if target is self._entrants.first:
            self._first_over.set()

    async def _drop(self, answer: Won | None) -> None:
        if answer is not None:
            with anyio.CancelScope(shield=True):
                await self._close(answer)

    def _settle(self) -> None:
        """Join the calls of both, the winner's last; side by side, so the longer wait is the wait."""
        before_s = self._attempts.upstream_s
        self._parts.sort(key=lambda part: part is self._winners)
        for part in self._parts:
            _join(self._attempts, part)
        waits = [part.upstream_s for part in self._parts]
        self._attempts.upstream_s = before_s + max(waits, default=0.0)
