"""What another policy, or the same at other prices, would have chosen: by what a logged decision knew.

A decision's record holds every candidate with its predictions and what rejected it. Here the policy's limits
and its dial are applied to those anew. What no policy can lift (capability, context window, health, rate
limits, budgets) stays rejected. Left out, because no record holds them: what a caller asked for beside the
policy, the incumbent rule, certificates of floors, exploration; the choice is the policy's most frequent one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman._native import Catalog
    from pointsman.registry import Policy

LIFTED_CODES = frozenset({"quality_floor", "max_cost", "latency_sla", "provider_preference"})
"""Rejections that are the policy's own: judged anew."""

_TOLERANCE = (0.20, 0.10, 0.02)
"""The core's: lookup, generation, reasoning."""
_COMPLEXITIES = ("lookup", "generation", "reasoning")
_NANO = 1e-9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment as a decision saw it, at the prices asked for."""

    deployment: str
    model: str
    provider: str
    quality: float
    cost_usd: float
    latency_p95_ms: float
    ttft_p95_ms: float
    propensity: float
    is_liftable: bool


class Prices:
    """Costs of logged candidates at the prices of another catalog."""

    def __init__(self, old: Catalog, new: Catalog) -> None:
        """Compare two catalogs; a deployment that either lacks keeps its logged cost."""
        self._old, self._new = old, new
        self._known = set(old.deployments) & set(new.deployments)

    def cost_usd(self, deployment: str, cost_usd: float, n_input: int, n_cached: int) -> float:
        """The new cost of a call that was expected to cost `cost_usd`: the output it implies, priced anew."""
        if deployment not in self._known:
            return cost_usd
        old = self._line(self._old, deployment, n_input, n_cached)
        n_output = max(0.0, (cost_usd - old[0]) / old[1]) if old[1] > 0 else 0.0
        base, slope = self._line(self._new, deployment, n_input, n_cached)
        return base + slope * n_output

    @staticmethod
    def _line(catalog: Catalog, deployment: str, n_input: int, n_cached: int) -> tuple[float, float]:
        def cost(n_output: int) -> float:
            nano = catalog.cost_nano_usd(
                deployment,
                n_input_tokens=n_input,
                n_cached_input_tokens=min(n_cached, n_input),
                n_output_tokens=n_output,
            )
            return nano * _NANO

        return cost(0), (cost(1_000) - cost(0)) / 1_000


def candidates(record: Mapping[str, Any], prices: Prices | None = None) -> list[Candidate]:
    """The candidates of a logged decision, rejected ones included."""
    return [_candidate(one, prices) for one in record["candidates"]]


def _candidate(one: Mapping[str, Any], prices: Prices | None) -> Candidate:
    cost_usd = one["cost_usd"]
    if prices is not None:
        tokens = one.get("n_input_tokens", 0), one.get("n_cached_input_tokens", 0)
        cost_usd = prices.cost_usd(one["deployment"], cost_usd, *tokens)
    return Candidate(
        deployment=one["deployment"],
        model=one["model"],
        provider=one["provider"],
        quality=one["quality"],
        cost_usd=cost_usd,
        latency_p95_ms=one["latency_p95_ms"],
        ttft_p95_ms=one["ttft_p95_ms"],
        propensity=one.get("propensity") or 0.0,
        is_liftable=all(
            rejection["code"] in LIFTED_CODES or rejection.get("field") == "allowed_models"
            for rejection in one["rejected_by"]
        ),
    )


def choose(policy: Policy, complexity: str, listed: Iterable[Candidate]) -> Candidate | None:
    """The candidate that a policy takes; `None` if its limits exclude them all.

    Example:
        >>> from pointsman.registry.policies import Policy
        >>> from pointsman.types import Constraints
        >>> def candidate(name, quality, cost_usd):
        ...     return Candidate(name, name, "p", quality, cost_usd, 900.0, 300.0, 0.5, True)
        >>> some = [candidate("small", 0.7, 0.001), candidate("big", 0.9, 0.01)]
        >>> choose(Policy(name="a", constraints=Constraints(min_quality=0.8)), "lookup", some).deployment
        'big'
        >>> choose(Policy(name="b"), "lookup", some).deployment
        'small'
    """
    feasible = [one for one in listed if one.is_liftable and _allows(policy, one)]
    if not feasible:
        return None
    feasible = _preferred(policy, feasible)
    sort = policy.preferences.sort
    if sort == "price":
        return min(feasible, key=lambda one: (one.cost_usd, -one.quality, one.deployment))
    if sort == "latency":
        return min(feasible, key=lambda one: (one.ttft_p95_ms, -one.quality, one.deployment))
    return min(feasible, key=_order(policy, complexity, feasible))


def _allows(policy: Policy, one: Candidate) -> bool:
    limits, wishes = policy.constraints, policy.preferences
    above = (
        (one.cost_usd, limits.max_cost_usd),
        (one.latency_p95_ms, limits.max_latency_ms),
        (one.ttft_p95_ms, limits.max_ttft_ms),
    )
    return (
        all(limit is None or value <= limit for value, limit in above)
        and (limits.min_quality is None or one.quality >= limits.min_quality)
        and (policy.allowed_models is None or one.model in policy.allowed_models)
        and (wishes.only is None or one.provider in wishes.only)
        and one.provider not in wishes.ignore
        and (wishes.allow_fallbacks or not wishes.order or one.provider in wishes.order)
    )


def _preferred(policy: Policy, feasible: list[Candidate]) -> list[Candidate]:
    """Those that the policy's order of models, then of providers puts first."""

    def place(one: Candidate) -> tuple[int, int]:
        models, order = policy.allowed_models or (), policy.preferences.order
        by_model = models.index(one.model) if one.model in models else len(models)
        return by_model, order.index(one.provider) if one.provider in order else len(order)

    first = min(map(place, feasible))
    return [one for one in feasible if place(one) == first]


def _order(policy: Policy, complexity: str, feasible: list[Candidate]) -> Any:
    """The key of the core's score: what quality is worth less what it costs, then quality, latency, name."""
    limits = policy.constraints
    best = max(one.quality for one in feasible)
    place = _COMPLEXITIES.index(complexity)
    value_usd = limits.quality_value_usd
    if value_usd is None and (policy.budgets or limits.budget_price is not None):
        value_usd = 1.0
    if value_usd is None and limits.within_best is not None:
        need = best * (1 - limits.within_best)
    elif value_usd is None and limits.min_quality is not None and limits.quality_tolerance is None:
        need = limits.min_quality
    else:
        need = best - (limits.quality_tolerance or _TOLERANCE)[place]
    price = 1.0 + (limits.budget_price or 0.0)

    def key(one: Candidate) -> tuple[float, float, float, str]:
        worth = value_usd * one.quality if value_usd is not None else -1_000.0 * max(0.0, need - one.quality)
        return price * one.cost_usd - worth, -one.quality, one.latency_p95_ms, one.deployment

    return key
