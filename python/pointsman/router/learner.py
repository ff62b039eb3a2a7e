"""What came of a decision, told to the core."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pointsman.errors import InvalidInput, UnknownName
from pointsman.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pointsman._native import Core, Decision, Pacer
    from pointsman.types import Attempt, Request, Usage


class Learner:
    """Tells the core what came of one decision. Never raises for what an upstream reported."""

    __slots__ = ("_clock", "_core", "_decision", "_pacers", "_request")

    def __init__(
        self,
        core: Core,
        request: Request,
        decision: Decision,
        clock: Callable[[], float],
        pacers: tuple[Pacer, ...] = (),
    ) -> None:
        self._core = core
        self._request = request
        self._decision = decision
        self._clock = clock
        self._pacers = pacers

    def settled(self, cost_usd: float) -> None:
        """Tell the budgets what an answer cost."""
        for pacer in self._pacers:
            with suppress(InvalidInput):  # An upstream that counts nonsense.
                pacer.observe(cost_usd, now_s=self._clock())

    def failed(self, attempts: Iterable[Attempt]) -> None:
        """Learn from the calls that failed."""
        for attempt in attempts:
            if attempt.error_code is not None:
                self._observe(attempt.deployment, latency_ms=attempt.latency_ms, is_error=True)

    def answered(
        self,
        deployment: str,
        usage: Usage,
        *,
        latency_ms: float,
        ttft_ms: float | None = None,
        is_cut: bool = False,
    ) -> None:
        """Learn from an answer.

        Args:
            deployment: Name of the deployment that answered.
            usage: Tokens used.
            latency_ms: Time to the last token.
            ttft_ms: Time to the first token, of a stream.
            is_cut: Whether the answer ended early: by its limit, or because the caller left.
        """
        n_choices = self._request.n_choices
        n_output_tokens = usage.n_output_tokens // n_choices
        # An estimate of 0 is an answer without text (tool calls), whose tokens nobody counted.
        is_counted = not usage.is_estimated or n_output_tokens > 0
        self._observe(
            deployment,
            n_input_tokens=usage.n_input_tokens,
            n_cached_input_tokens=None if usage.is_estimated else usage.n_cached_input_tokens,
            n_cache_write_tokens=usage.n_cache_write_tokens,
            n_output_tokens=n_output_tokens if is_counted else None,
            n_reasoning_tokens=(usage.n_reasoning_tokens or 0) // n_choices if is_counted else 0,
            latency_ms=latency_ms,
            ttft_ms=ttft_ms,
            is_cut=is_cut,
        )

    def _observe(self, deployment: str, **seen: Any) -> None:
        decision = self._decision
        outcome = Outcome(
            deployment=deployment,
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            task=self._request.constraints.task,
            decision=decision,
            **seen,
        )
        try:
            self._core.observe(outcome, now_s=self._clock())
        except (InvalidInput, UnknownName):
            # An upstream that counts nonsense, a deployment swapped away: no reason to fail an answer.
            return
