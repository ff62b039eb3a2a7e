"""What all calls of a router share: the gate, the budget of retries, the rules."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import orjson

from pointsman.execution.attempts import Attempts
from pointsman.execution.gate import Gate
from pointsman.execution.retry import RetryBudget, RetryRules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman._native import Core, Decision
    from pointsman.types import Request


class Dispatch:
    """What all calls of a router share.

    Args:
        core: Knows how the deployments are.
        clock: Returns Unix time in seconds, for all that waits and fades.

    Attributes:
        gate: Leave to call.
        budget: Retries left.
        rules: How failures are met.
    """

    __slots__ = ("_clock", "_core", "budget", "gate", "rules")

    def __init__(self, core: Core, clock: Callable[[], float] = time.time) -> None:
        self._core = core
        self._clock = clock
        self.gate = Gate(core, clock)
        self.rules = RetryRules()
        self.budget = RetryBudget(self.rules, clock)

    def configure(self, rules: RetryRules, health: Mapping[str, float | bool | int]) -> None:
        """Take other settings; what was seen stays.

        Args:
            rules: How failures are met.
            health: Settings of the core's health (`HealthSettings`).
        """
        if rules != self.rules:
            self.rules = rules
            self.budget = RetryBudget(rules, self._clock)
        self._core.configure_health(orjson.dumps(health))

    def attempts(self, decision: Decision, request: Request) -> Attempts:
        """The calls of a request that has just been decided; it earns a share of a retry."""
        self.budget.earn()
        return Attempts(self, decision, may_repeat=request.preferences.allow_fallbacks)

    async def wait(self, deployments: list[str], at_most_s: float) -> None:
        """Wait until a call of one of these deployments ends, or the time is over."""
        if deployments:
            await self.gate.wait(deployments, at_most_s)
        else:
            await anyio.sleep(at_most_s)
