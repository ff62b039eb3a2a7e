"""When a call may be made again: a budget of retries, waits that grow, and what another try could mend.

The budget is Finagle's `RetryBudget`: each request earns a share of a retry and a few come free with time, so
a few failures are retried at once, and an outage of everything multiplies calls by at most `1 + share`.
"""

from __future__ import annotations

import random
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.errors import ProviderError

_WINDOW_S = 10.0
"""Seconds after which what a request earned is lost (Finagle's default)."""

# Codes under which the same deployment may do better a moment later.
_REPEATABLE = frozenset(
    {
        "provider_malformed",
        "provider_rate_limited",
        "provider_stream_broken",
        "provider_unavailable",
        "provider_unreachable",
    }
)
_OVERFLOW_CODES = frozenset(
    {
        "context_length_exceeded",
        "exceed_context_size_error",
        "context_window_exceeded",
    }
)
_OVERFLOW = re.compile(
    r"maximum context length|context (length|window|size)|prompt is too long|too many (input )?tokens"
    r"|input is too long|exceeds? the (maximum|max)[\w ]* tokens|input token count",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How failures are met.

    Attributes:
        budget_share: Retries a request earns, in [0, 1]; bounds calls per request over many requests.
        budget_per_s: Retries a second that come free.
        max_attempts: Calls of one request from which no deployment is called a second time, >= 1.
        backoff_s: Longest wait before a deployment is called a second time; doubles with each time.
        max_backoff_s: Bound of those waits.
        patience_s: How long a request without a deadline waits for a deployment that is away.
    """

    budget_share: float = 0.8
    budget_per_s: float = 1.0
    max_attempts: int = 3
    backoff_s: float = 0.25
    max_backoff_s: float = 8.0
    patience_s: float = 20.0

    def wait_s(self, n_rounds: int) -> float:
        """Seconds to wait before the deployments are called again, so many times after the first.

        Half of it is drawn at random, so that those that failed together do not return together.
        """
        longest_s: float = min(self.backoff_s * 2**n_rounds, self.max_backoff_s)
        return longest_s * (0.5 + 0.5 * random.random())  # noqa: S311 - no secret


class RetryBudget:
    """How many calls may still be made again. Not thread-safe: it lives on one event loop.

    Args:
        rules: How much is earned.
        clock: Returns seconds that never run back.
    """

    __slots__ = ("_clock", "_earned", "_free", "_rules", "_spent")

    def __init__(self, rules: RetryRules, clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._clock = clock
        self._earned: deque[tuple[float, float]] = deque()
        """(second, retries earned in it); what is spent is taken from the oldest."""
        self._free = rules.budget_per_s * _WINDOW_S
        self._spent: float = clock()
        """When `_free` was brought up to date."""

    def earn(self) -> None:
        """A request came in."""
        second = float(int(self._clock()))
        if self._earned and self._earned[-1][0] == second:
            self._earned[-1] = (second, self._earned[-1][1] + self._rules.budget_share)
        else:
            self._earned.append((second, self._rules.budget_share))
            self._forget()

    @property
    def balance(self) -> float:
        """Retries left."""
        self._forget()
        return self._free + sum(amount for _, amount in self._earned)

    def spend(self) -> bool:
        """Take one retry, if one is left."""
        if self.balance < 1.0:
            return False
        missing = 1.0
        while missing > 0 and self._earned:
            second, amount = self._earned.popleft()
            taken = min(amount, missing)
            missing -= taken
            if amount > taken:
                self._earned.appendleft((second, amount - taken))
        self._free = max(0.0, self._free - missing)
        return True

    def _forget(self) -> None:
        now_s = self._clock()
        while self._earned and self._earned[0][0] < now_s - _WINDOW_S - 1.0:
            self._earned.popleft()
        refill = (now_s - self._spent) * self._rules.budget_per_s
        self._free = min(self._free + max(0.0, refill), self._rules.budget_per_s * _WINDOW_S)
        self._spent = now_s


def may_repeat(failure: ProviderError) -> bool:
    """Whether the same deployment may do better a moment later; a time-out has cost enough time already."""
    return failure.retryable and failure.code in _REPEATABLE


def is_context_overflow(failure: ProviderError) -> bool:
    """Whether the upstream refused a request that is too long for its model."""
    if failure.code != "provider_rejected" or failure.status not in (400, 413, 422):
        return False
    body = failure.body or {}
    if body.get("code") in _OVERFLOW_CODES or body.get("type") in _OVERFLOW_CODES:
        return True
    message = body.get("message")
    return isinstance(message, str) and _OVERFLOW.search(message) is not None
