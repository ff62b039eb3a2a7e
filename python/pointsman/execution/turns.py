"""Whose turn it is: one deployment after the other, as health, retry budget and deadline allow."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Self

from anyio import current_time

from pointsman._native import Refusal, Ticket
from pointsman.execution.retry import is_context_overflow, may_repeat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.errors import ProviderError, RequestError
    from pointsman.execution.attempts import Attempts
    from pointsman.execution.direct import Target
    from pointsman.types import Usage

_OVERDUE = 2.0
"""Times its predicted 95th percentile after which a call that nobody waits for counts as failed."""


class Turn:
    """One call under way. Exactly one of its methods that end it must be called.

    Attributes:
        target: Who is called.
        started_s: `perf_counter` at which the call began.
    """

    __slots__ = ("_is_over", "_ticket", "_turns", "started_s", "target")

    def __init__(self, turns: Turns, target: Target, ticket: Ticket | None) -> None:
        self._turns = turns
        self.target = target
        self._ticket = ticket
        self._is_over = False
        self.started_s = perf_counter()

    def answered(self, usage: Usage | None, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer is there."""
        attempts = self._turns.attempts
        attempts.succeeded(self.target, 200, self.started_s)
        if headers is not None:
            self._learn(headers)
        self._over(usage, attempts.made[-1].latency_ms)

    def committed(self, headers: Mapping[str, str]) -> None:
        """The first token of a stream is there; the call goes on until `ended`."""
        attempts = self._turns.attempts
        attempts.succeeded(self.target, 200, self.started_s)
        self._learn(headers)
        if attempts.dispatch is not None:
            attempts.dispatch.gate.first_token(self._ticket, attempts.made[-1].latency_ms)

    def ended(self, usage: Usage | None, failure: ProviderError | None) -> None:
        """A committed stream has ended: whole or left by its reader, or by a failure."""
        if failure is None:
            self._over(usage, None)
        elif not self._is_over:
            self._is_over = True
            self._failed(failure)

    def failed(self, failure: ProviderError) -> bool:
        """The call failed; whether another one may do better."""
        self._is_over = True
        turns = self._turns
        turns.attempts.noted(self.target, failure, self.started_s)
        self._failed(failure)
        if is_context_overflow(failure) and turns.keep_larger(self.target):
            return True
        if failure.retryable:
            turns.note(self.target, failure)
        else:
            turns.attempts.given_up(failure)
        return failure.retryable

    def refused(self, refusal: RequestError) -> None:
        """The deployment's protocol cannot say what the request asks for."""
        self._turns.attempts.refused(refusal)
        self._turns.drop(self.target)
        self.abandoned()

    def abandoned(self) -> None:
        """Nobody waits for the call any more."""
        attempts = self._turns.attempts
        if self._is_over or attempts.dispatch is None:
            return
        self._is_over = True
        predicted_ms = attempts.decision.predicted_latency_p95_ms if attempts.decision else float("inf")
        is_overdue = (perf_counter() - self.started_s) * 1e3 > _OVERDUE * predicted_ms
        attempts.dispatch.gate.abandoned(self._ticket, is_overdue=is_overdue)

    def _learn(self, headers: Mapping[str, str]) -> None:
        if self._turns.attempts.dispatch is not None:
            self._turns.attempts.dispatch.gate.learn(self.target.deployment, headers)

    def _over(self, usage: Usage | None, latency_ms: float | None) -> None:
        if not self._is_over and self._turns.attempts.dispatch is not None:
            self._turns.attempts.dispatch.gate.answered(self._ticket, usage, latency_ms)
        self._is_over = True

    def _failed(self, failure: ProviderError) -> None:
        if self._turns.attempts.dispatch is not None:
            latency_ms = (perf_counter() - self.started_s) * 1e3
            self._turns.attempts.dispatch.gate.failed(self._ticket, failure, latency_ms)


class Turns:
    """The turns of one request: an async iterator that ends when nobody is left to ask.

    Deployments of the first one's model come first, then the others in rank order. When all were asked or are
    away, it waits for the first to return, within the deadline or the configured patience.

    Args:
        targets: Deployments in rank order.
        attempts: Filled in as calls are made.
    """

    __slots__ = (
        "_asked",
        "_left_or_none",
        "_n_rounds",
        "_patience_until_s",
        "_round",
        "_targets",
        "attempts",
    )

    def __init__(self, targets: Iterable[Target], attempts: Attempts) -> None:
        self.attempts = attempts
        self._targets = list(targets)
        self._left_or_none: list[Target] | None = None
        self._round: list[Target] = self._targets[:1]
        """Who is still to be asked before the first is asked again; at first the first alone."""
        self._asked: dict[str, float] = {}
        """Who failed in this round, with the seconds to stay away."""
        self._n_rounds = 0
        self._patience_until_s: float | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Turn:
        while True:
            turn = self._next_turn()
            if turn is None and self._left_or_none is None and self._left:
                continue  # the others are in the round now
            if turn is not None:
                return turn
            if not await self._next_round():
                raise StopAsyncIteration

    @property
    def _left(self) -> list[Target]:
        """Who may still be asked, now or later; put in order only where the first did not answer."""
        if self._left_or_none is None:
            self._left_or_none = _by_model(self._targets)
            self._round = [*self._round, *self._left_or_none[1:]]
        return self._left_or_none

    @_left.setter
    def _left(self, left: list[Target]) -> None:
        self._left_or_none = left

    def keep_larger(self, target: Target) -> bool:
        """Leave only those with a larger context window; whether there are any."""
        larger = [one for one in self._left if one.context_window > target.context_window]
        names = {one.deployment for one in larger}
        self._left, self._round = larger, [one for one in self._round if one.deployment in names]
        return bool(larger)

    def note(self, target: Target, failure: ProviderError) -> None:
        """Ask it again later, if that may help."""
        if self.attempts.may_repeat and may_repeat(failure):
            self._asked[target.deployment] = failure.retry_after_s or 0.0
        else:
            self.drop(target)

    def drop(self, target: Target) -> None:
        """Do not ask it again."""
        self._left = [one for one in self._left if one.deployment != target.deployment]

    def _next_turn(self) -> Turn | None:
        dispatch = self.attempts.dispatch
        if dispatch is not None and self._n_rounds and len(self.attempts.made) >= dispatch.rules.max_attempts:
            return None
        while self._round:
            target = self._round[0]
            if dispatch is None:
                return Turn(self, self._round.pop(0), None)
            if self.attempts.made and dispatch.budget.balance < 1.0:
                self._left = []
                return None
            decision = self.attempts.decision
            n_tokens = decision.n_tokens_of(target.deployment) if decision is not None else 1
            begun = dispatch.gate.begin(target.deployment, n_tokens)
            self._round.pop(0)
            if isinstance(begun, Refusal):
                self.attempts.away[target.deployment] = begun
                continue
            if self.attempts.made:
                dispatch.budget.spend()
            self.attempts.away.pop(target.deployment, None)
            return Turn(self, target, begun)
        return None

    async def _next_round(self) -> bool:
        """Wait until one of those left may be asked (again); whether one may."""
        dispatch = self.attempts.dispatch
        if dispatch is None or not self._left or not self.attempts.may_wait:
            return False
        if len(self.attempts.made) >= dispatch.rules.max_attempts:
            return False
        again_s = dispatch.rules.wait_s(self._n_rounds)
        waits = [max(again_s, away_s) for away_s in self._asked.values()]
        away = [self.attempts.away.get(target.deployment) for target in self._left]
        waits += [one.ends_in_s for one in away if one is not None and one.ends_in_s is not None]
        unknown = [
            target.deployment
            for target, one in zip(self._left, away, strict=True)
            if one is not None and one.ends_in_s is None
        ]
        left_s = self._left_s()
        soonest_s = min(waits, default=float("inf"))
        if left_s <= 0 or (soonest_s > left_s and not unknown):
            return False
        waited_from_s = perf_counter()
        await dispatch.wait(unknown, min(soonest_s, left_s))
        self.attempts.upstream_s += perf_counter() - waited_from_s
        self._n_rounds += bool(self._asked)
        self._asked.clear()
        self._round = list(self._left)
        return True

    def _left_s(self) -> float:
        """Seconds that are left to wait."""
        now_s = current_time()
        if self.attempts.deadline_at_s is not None:
            return self.attempts.deadline_at_s - now_s
        if self._patience_until_s is None:
            assert self.attempts.dispatch is not None  # noqa: S101 - its caller has looked
            self._patience_until_s = now_s + self.attempts.dispatch.rules.patience_s
        return self._patience_until_s - now_s


def _by_model(targets: Iterable[Target]) -> list[Target]:
    """The first one's model first; within a model, and of the models, the order is kept."""
    places: dict[str, list[Target]] = {}
    for target in targets:
        places.setdefault(target.model, []).append(target)
    return [target for of_model in places.values() for target in of_model]
