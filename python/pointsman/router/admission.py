"""Who may spend how much, and how fast: budgets and rate limits around every call to a model.

Before a call what it may come to is held on every account that has a limit: the key's, its tenant's and the
total. Where the dearest deployment that might answer does not fit, a cheaper feasible one is asked instead;
where none fits the request is refused. Afterwards what the call did cost is counted, whatever it was.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import LimitExceeded
from pointsman.router.estimate import likely_nano_usd, likely_tokens
from pointsman.router.wiring import targets_of
from pointsman.spend import Accounts, Allowance, Claim, Overspent, Pace, Rates, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pointsman._native import Decision
    from pointsman.config import AllowanceSettings
    from pointsman.execution.direct import Target
    from pointsman.keys import Key
    from pointsman.registry import Policy, Registry
    from pointsman.router.request import ChatRequest
    from pointsman.router.wiring import Wiring
    from pointsman.spend import Reservation
    from pointsman.types import Usage

_LOG = logging.getLogger("pointsman.router")
_MAX_PRICE = 1e9
_DEFAULT_TOLERANCE = (0.20, 0.10, 0.02)
"""The core's own, where a policy says nothing (`rust/pointsman-core/src/policy/score.rs`)."""
_SPEND_FOLDER = "spend"
_TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Limit:
    """An account with its limit and its pace."""

    claim: Claim
    pace: Pace


class Admitted:
    """A call that may be made, with what is held for it.

    Attributes:
        targets: Who may answer it, in rank order.
        is_restricted: Whether money was short, so that one call of one of them is all that may be made.
    """

    __slots__ = (
        "_admission",
        "_expected_nano_usd",
        "_key",
        "_limits",
        "_n_tokens",
        "_reservation",
        "is_restricted",
        "targets",
    )

    def __init__(
        self,
        admission: Admission,
        targets: Sequence[Target],
        key: Key | None = None,
        limits: tuple[Limit, ...] = (),
        reservation: Reservation | None = None,
        n_tokens: int = 0,
        expected_nano_usd: int = 0,
        *,
        is_restricted: bool = False,
    ) -> None:
        self._admission = admission
        self.targets = list(targets)
        self.is_restricted = is_restricted
        self._key = key
        self._limits = limits
        self._reservation = reservation
        self._n_tokens = n_tokens
        self._expected_nano_usd = expected_nano_usd

    def settle(self, cost_usd: float, usage: Usage) -> None:
        """Count what the answer did cost."""
        self._settle(round(cost_usd * 1e9), usage.n_input_tokens + usage.n_output_tokens)

    def fail(self, error: BaseException) -> None:
        """Nobody answered: nothing is spent. A call that was abandoned counts with its expected cost."""
        if isinstance(error, Exception):
            self._settle(0, 0)
        else:
            self._settle(self._expected_nano_usd, self._n_tokens)

    def _settle(self, nano_usd: int, n_tokens: int) -> None:
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.settle(nano_usd)
            now_s = self._admission.clock()
            for limit in self._limits:
                limit.pace.observe(nano_usd / 1e9, now_s)
        if self._n_tokens and self._key is not None:
            self._admission.rates.give_back(self._key.key_id, "tokens", self._n_tokens - n_tokens)
            self._n_tokens = 0


class Admission:
    """The budgets and rate limits of a router.

    Attributes:
        clock: Unix time, seconds.
        monotonic: A time that never goes back, seconds.
        accounts: What is spent and held.
        rates: The rate limits of keys.
    """

    def __init__(self, registry: Registry, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.monotonic = time.monotonic
        self.rates = Rates()
        folder = _folder(registry)
        self.accounts = Accounts(folder, clock)
        self._total: tuple[Limit, ...] = ()
        self._by_tenant: dict[str, tuple[Limit, ...]] = {}
        self._by_key: dict[str, tuple[Key, tuple[Limit, ...]]] = {}
        self._paces: dict[tuple[str, Allowance], Pace] = {}
        self._registry = registry
        self._is_ready = False

    def swap(self, registry: Registry) -> None:
        """Hold to another config's budgets from now on; what was spent stays spent."""
        if _folder(registry) != self.accounts.folder:
            _LOG.warning("where spending is kept has changed; that needs a restart")
        self._registry = registry
        self._is_ready = False

    def open(self) -> None:
        """Read what was spent before; done by itself with the first request that has a budget.

        Raises:
            ConfigError: The folder cannot be used, or another process uses it.
        """
        budgets = self._registry.budgets
        self._by_key = {}
        self._total = self._limits(_TOTAL, map(_allowance, budgets.total if budgets else ()))
        self._by_tenant = {
            tenant: self._limits(f"tenant:{tenant}", map(_allowance, allowances))
            for tenant, allowances in (budgets.tenants if budgets else {}).items()
        }
        self._is_ready = True
        if self.accounts.folder is None and (self._total or self._by_tenant):
            _LOG.warning("spending is counted in memory only and forgotten at the end; give budgets.path")

    def close(self) -> None:
        """Let another process spend the budgets; what is still held counts as spent for it."""
        self.accounts.close()

    # ---- deciding

    def take_request(self, key: Key | None) -> None:
        """Count a request of a key.

        Raises:
            LimitExceeded: 429; the key asks more often than it may.
        """
        if key is not None and key.requests_per_min is not None:
            self._take(key, "requests", key.requests_per_min, 1)

    def priced(self, policy: Policy, key: Key | None) -> Policy:
        """The policy as it must be for the budgets to last: the tighter they are, the more cheapness counts.

        Where quality has a price in dollars, theirs is added to it. Where it has none, a quality of 1 counts
        as a dollar, as in the core: a dollar that weighs 1 + price makes so much less quality acceptable.
        """
        limits = self._limits_of(key)
        price = min(sum(limit.pace.price for limit in limits), _MAX_PRICE)
        if not price:
            return policy
        constraints = policy.constraints
        if constraints.quality_value_usd is not None or constraints.budget_price is not None:
            price = min((constraints.budget_price or 0.0) + price, _MAX_PRICE)
            return replace(policy, constraints=replace(constraints, budget_price=price))
        more = price * max(limit.pace.mean_usd for limit in limits)
        if constraints.within_best is not None:
            within_best = min(constraints.within_best + more, 1.0)
            return replace(policy, constraints=replace(constraints, within_best=within_best))
        is_default = constraints.quality_tolerance is None
        if is_default and (constraints.min_quality is not None or constraints.quality_like is not None):
            return policy  # the cheapest that meets the floor is as cheap as it gets
        lookup, generation, reasoning = constraints.quality_tolerance or _DEFAULT_TOLERANCE
        tolerance = (min(lookup + more, 1.0), min(generation + more, 1.0), min(reasoning + more, 1.0))
        constraints = replace(constraints, quality_tolerance=tolerance)
        return replace(policy, constraints=constraints, is_tolerance_default=is_default)

    # ---- calling

    def admit(self, chat: ChatRequest, decision: Decision, wiring: Wiring) -> Admitted:
        """Hold what a decision's call may come to.

        Raises:
            LimitExceeded: 402 if a budget has no room for any deployment that may answer, 429 if the key asks
                for more tokens than it may.
        """
        ranked, key = targets_of(wiring, decision), chat.key
        limits = self._limits_of(key)
        n_tokens_per_min = key.tokens_per_min if key else None
        if not limits and n_tokens_per_min is None:
            return Admitted(self, ranked)
        tokens = likely_tokens(decision, chat.request)
        names = (target.deployment for target in ranked)
        costs = likely_nano_usd(wiring.registry.catalog, names, tokens) if limits else {}
        planned = sum(costs[name] for name, _ in decision.steps if name in costs)
        expected_nano_usd = round(decision.predicted_cost_usd * 1e9)
        return self.hold(ranked, key, costs, sum(tokens), planned, expected_nano_usd)

    def hold(
        self,
        ranked: list[Target],
        key: Key | None,
        costs: dict[str, int],
        n_tokens: int,
        planned: int = 0,
        expected_nano_usd: int | None = None,
    ) -> Admitted:
        """Hold what a call to one of the ranked may come to; errors as `admit`.

        Args:
            ranked: Who may answer, in rank order.
            key: Whose call it is.
            costs: Nano-dollars it may take at each, where there is a budget.
            n_tokens: Tokens it may take.
            planned: Nano-dollars that all calls of a plan may take together.
            expected_nano_usd: What it counts with if it is abandoned; the dearest if not given.
        """
        limits = self._limits_of(key)
        n_tokens_per_min = key.tokens_per_min if key else None
        targets, reservation = ranked, None
        if limits and ranked:
            targets, reservation = self._reserve(ranked, costs, limits, key, planned)
        try:
            if key is not None and n_tokens_per_min is not None:
                self._take(key, "tokens", n_tokens_per_min, n_tokens)
        except LimitExceeded:
            if reservation is not None:
                reservation.settle(0)
            raise
        n_held = n_tokens if n_tokens_per_min is not None else 0
        if expected_nano_usd is None:
            expected_nano_usd = max(costs.values(), default=0)
        return Admitted(
            self,
            targets,
            key,
            limits,
            reservation,
            n_held,
            expected_nano_usd,
            is_restricted=targets is not ranked,
        )

    def _reserve(
        self,
        ranked: list[Target],
        costs: dict[str, int],
        limits: tuple[Limit, ...],
        key: Key | None,
        planned: int,
    ) -> tuple[list[Target], Reservation]:
        """Hold what all planned calls may come to, and the dearest of the ranked, if that fits.

        Else the first of the ranked that fits, and leave out dearer ones.
        """
        claims = [limit.claim for limit in limits]
        try:
            return ranked, self.accounts.reserve(claims, max(planned, *costs.values()))
        except Overspent as full:
            refused = full
        for target in ranked:
            cost = costs[target.deployment]
            try:
                reservation = self.accounts.reserve(claims, cost)
            except Overspent as full:
                refused = full
                continue
            return [other for other in ranked if costs[other.deployment] <= cost], reservation
        raise self._overspent(refused, min(costs.values()), key)

    def _overspent(self, full: Overspent, least_nano_usd: int, key: Key | None) -> LimitExceeded:
        account, limit_usd = full.claim.account, full.claim.limit_nano_usd / 1e9
        resets_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(full.resets_at_s))
        spent_usd, held_usd = full.spent_nano_usd / 1e9, full.held_nano_usd / 1e9
        budget = f"the budget of {account.scope} ({account.window}) has no room for this request"
        detail: dict[str, object] = {"scope": account.scope, "window": str(account.window)}
        if _may_see(full.claim, key):
            detail |= {"spent_usd": spent_usd, "held_usd": held_usd, "limit_usd": limit_usd}
            budget += (
                f": ${spent_usd:.9f} of ${limit_usd:.9f} are spent and ${held_usd:.9f} held for requests "
                f"under way, and the cheapest deployment that may answer can take ${least_nano_usd / 1e9:.9f}"
            )
        message = f"{budget}; it resets at {resets_at}"
        detail["resets_at"] = resets_at
        wait_s = max(full.resets_at_s - self.clock(), 0.0)
        return LimitExceeded(message, code="policy_budget", status=402, retry_after_s=wait_s, budget=detail)

    def _take(self, key: Key, kind: str, per_min: int, n: int) -> None:
        wait_s = self.rates.take(key.key_id, kind, per_min, n, self.monotonic())
        if wait_s:
            message = f"key {key.key_id} may use {per_min} {kind} a minute; ask again in {wait_s:.1f} s"
            raise LimitExceeded(message, code="caller_rate_limited", status=429, retry_after_s=wait_s)

    # ---- limits

    def _limits_of(self, key: Key | None) -> tuple[Limit, ...]:
        if not self._is_ready:
            self.open()
        if key is None:
            return self._total
        known = self._by_key.get(key.key_id)
        if known is not None and known[0] is key:
            return known[1]
        of_key = self._limits(f"key:{key.key_id}", key.budgets)
        limits = (*of_key, *self._by_tenant.get(key.tenant, ()), *self._total)
        self._by_key[key.key_id] = (key, limits)
        return limits

    def _limits(self, scope: str, allowances: Iterable[Allowance]) -> tuple[Limit, ...]:
        limits = []
        for allowance in allowances:
            account = self.accounts.account(scope, allowance.window)
            claim = Claim(account, allowance.nano_usd)
            # A budget that stays in the config keeps the price it has found.
            place = (scope, allowance)
            pace = self._paces.get(place) or Pace(account, allowance.usd, self.clock())
            limits.append(Limit(claim, self._paces.setdefault(place, pace)))
        return tuple(limits)

    def rates_left(self, key: Key) -> list[tuple[str, str]]:
        """The `x-ratelimit-*` headers of a key: limit, what remains, and when it is full again."""
        headers = []
        limits = (("requests", key.requests_per_min), ("tokens", key.tokens_per_min))
        for kind, per_min in limits:
            if per_min is not None:
                n_left, full_in_s = self.rates.look(key.key_id, kind, per_min, self.monotonic())
                headers += [
                    (f"x-ratelimit-limit-{kind}", str(per_min)),
                    (f"x-ratelimit-remaining-{kind}", str(n_left)),
                    (f"x-ratelimit-reset-{kind}", f"{full_in_s:.3f}s"),
                ]
        return headers

    def status(self, key: Key | None) -> list[dict[str, Any]]:
        """The budgets that hold for a key: what is used, the limit, the price, when it resets."""
        return [self._shown(limit) for limit in self._limits_of(key) if _may_see(limit.claim, key)]

    def standing(self) -> list[dict[str, Any]]:
        """As `status`, the budgets the config names: the total and those of tenants."""
        shared = self._limits_of(None)
        return [self._shown(limit) for limits in (shared, *self._by_tenant.values()) for limit in limits]

    def _shown(self, limit: Limit) -> dict[str, Any]:
        account = limit.claim.account
        return {
            "scope": account.scope,
            "window": str(account.window),
            "used_usd": self.accounts.used_nano_usd(account) / 1e9,
            "limit_usd": limit.claim.limit_nano_usd / 1e9,
            "price": limit.pace.price,
            "resets_at_s": account.resets_at_s(self.clock()),
        }


def _may_see(claim: Claim, key: Key | None) -> bool:
    """Whether a key's owner may know how much of a budget is spent: not of what all tenants share."""
    return key is None or key.is_admin or claim.account.scope != _TOTAL


def _folder(registry: Registry) -> Path | None:
    if registry.budgets is not None and registry.budgets.path is not None:
        return Path(registry.budgets.path)
    return Path(registry.keys.path) / _SPEND_FOLDER if registry.keys is not None else None


def _allowance(settings: AllowanceSettings) -> Allowance:
    return Allowance(settings.usd, Window(period=settings.period, length_s=settings.window_s))
