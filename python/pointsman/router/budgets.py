"""The budgets of policies: what a dollar must weigh so that they last, and what was spent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pointsman._native import Pacer

if TYPE_CHECKING:
    from pointsman.registry import Policy
    from pointsman.types import Budget

_MAX_PRICE = 1e9


class Budgets:
    """A pacer for each budget of each policy; one that stays in the config keeps what it has learned."""

    __slots__ = ("_pacers",)

    def __init__(self) -> None:
        self._pacers: dict[tuple[str, Budget], Pacer] = {}

    def pacers(self, policy: Policy) -> tuple[Pacer, ...]:
        """The pacers of a policy's budgets."""
        return tuple(self._pacer(policy.name, budget) for budget in policy.budgets)

    def priced(self, policy: Policy) -> Policy:
        """The policy with the price of its budgets now; as it is, if it has none."""
        if not policy.budgets:
            return policy
        price = min(sum(pacer.price for pacer in self.pacers(policy)), _MAX_PRICE)
        return replace(policy, constraints=replace(policy.constraints, budget_price=price))

    def _pacer(self, name: str, budget: Budget) -> Pacer:
        known = self._pacers.get((name, budget))
        if known is not None:
            return known
        made = Pacer(usd_per_request=budget.usd_per_request, usd=budget.usd, window_s=budget.window_s)
        # Threads may both have made one: the first to come is kept.
        return self._pacers.setdefault((name, budget), made)
