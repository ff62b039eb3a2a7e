"""A decision log, decided again under another policy or price list; and what that would have been worth.

Costs and qualities before and after are predictions as they were when each request was decided. What a policy
would really have earned is estimated off-policy, from rewards of graded decisions and logged propensities:
doubly robust, without clipping (science.md 1.6, 2.12). A log that never explored has propensity 1 everywhere,
and then nothing of the kind can be said.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pointsman.learning.gate import NO_RULES, GateRows, GateRules
from pointsman.learning.known import policy_version
from pointsman.learning.redecide import Candidate, Prices, candidates, choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.registry import Policy


@dataclass(slots=True)
class Replay:
    """Sums over a log; `report` tells them.

    Attributes:
        policy: What is replayed.
        prices: Other prices, if any.
        logged_policy: The policy of the log, by name; rows of others are left out. `None`: all rows.
        rules: What the policy must show to be promoted.
        serving: Version of the policy that it is to take the place of; rows of its other versions are left
            out. `None`: all rows.
    """

    policy: Policy
    prices: Prices | None = None
    logged_policy: str | None = None
    rules: GateRules = NO_RULES
    serving: str | None = None
    n: int = 0
    n_infeasible: int = 0
    n_changed: int = 0
    n_graded: int = 0
    n_unusable: int = 0
    n_unsupported: int = 0
    is_explored: bool = False
    before: list[float] = field(default_factory=lambda: [0.0, 0.0])
    after: list[float] = field(default_factory=lambda: [0.0, 0.0])
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    graded: GateRows = field(default_factory=GateRows)

    def add(self, row: Mapping[str, Any]) -> None:
        """Decide one row again."""
        if not self._is_asked_for(row):
            return
        self.n += 1
        listed = candidates(row["record"], self.prices)
        by_name = {one.deployment: one for one in listed}
        logged = by_name.get(row["chosen"])
        chosen = choose(self.policy, row["complexity"], listed)
        if chosen is None or logged is None:
            self.n_infeasible += 1
            return
        if chosen.deployment != logged.deployment:
            self.n_changed += 1
            self.moves[logged.deployment, chosen.deployment] += 1
        for sums, one in ((self.before, logged), (self.after, chosen)):
            sums[0] += one.cost_usd
            sums[1] += one.quality
        self._weigh(row, listed, logged, chosen)

    def _is_asked_for(self, row: Mapping[str, Any]) -> bool:
        if self.logged_policy is not None and row["policy"] != self.logged_policy:
            return False
        if row.get("arm") == "pinned":  # the caller chose, no policy did
            return False
        version = policy_version(row.get("policy_version", ""))
        # Logs of earlier releases name no version of the policy.
        return self.serving is None or version in ("", self.serving)

    def _weigh(
        self, row: Mapping[str, Any], listed: list[Candidate], logged: Candidate, chosen: Candidate
    ) -> None:
        if row["reward"] is None:
            return
        # A fallback's or a kept answer's reward is not that of the choice whose propensity is known.
        if row["deployment"] != row["chosen"] or row["cache_layer"] is not None:
            self.n_unusable += 1
            return
        self.n_graded += 1
        propensity = row["propensity"]
        drawn = [one for one in listed if one.propensity > 0] or [logged]
        self.is_explored |= propensity < 1.0 or len(drawn) > 1
        self.n_unsupported += all(one.deployment != chosen.deployment for one in drawn)
        weight = 1.0 / propensity if chosen.deployment == logged.deployment else 0.0
        mass = sum(one.propensity for one in drawn) or 1.0

        def logged_mean(name: str) -> float:
            return sum((one.propensity or 1.0) * float(getattr(one, name)) for one in drawn) / mass

        values = {name: float(getattr(chosen, name)) for name in ("quality", "cost_usd")}
        logged_values = {name: logged_mean(name) for name in values}
        if self.policy.version and policy_version(row.get("policy_version", "")) == self.policy.version:
            # The very policy that logged draws as it drew.
            weight, values = 1.0, logged_values
        cost_usd = row["cost_usd"] if self.prices is None else logged.cost_usd
        self.graded.add(
            row,
            quality=(weight, row["reward"], logged.quality, values["quality"], logged_values["quality"]),
            cost_usd=(weight, cost_usd, logged.cost_usd, values["cost_usd"], logged_values["cost_usd"]),
        )

    def report(self) -> dict[str, Any]:
        """What changes, what it is predicted to cost and to be worth, and what the rewards say."""
        n = max(1, self.n - self.n_infeasible)
        told = ("cost_usd", "quality")
        return {
            "policy": self.policy.name,
            "n": self.n,
            "n_infeasible": self.n_infeasible,
            "n_changed": self.n_changed,
            "moves": [
                {"from": old, "to": new, "n": count} for (old, new), count in self.moves.most_common(20)
            ],
            "before": dict(zip(told, (value / n for value in self.before), strict=True)),
            "after": dict(zip(told, (value / n for value in self.after), strict=True)),
            "ope": self._estimates(),
        }

    def _estimates(self) -> dict[str, Any]:
        counts = {
            "n_graded": self.n_graded,
            "n_unusable": self.n_unusable,
            "n_unsupported": self.n_unsupported,
        }
        if not self.graded:
            return {"disabled": "no graded decision: give feedback, or let signals grade", **counts}
        if self.n_changed and not self.is_explored:
            return {
                "disabled": "propensity 1: the log never explored; set `exploration: true` and "
                "`min_propensity` in its policy, and log anew",
                **counts,
            }
        return counts | self.graded.estimates(self.rules)


def replay(
    rows: Iterable[Mapping[str, Any]],
    policy: Policy,
    *,
    prices: Prices | None = None,
    logged_policy: str | None = None,
    rules: GateRules = NO_RULES,
    serving: str | None = None,
) -> dict[str, Any]:
    """Decide a log again.

    Args:
        rows: As `pointsman.store.rows.decision_rows` reads them.
        policy: Whose choices are asked for.
        prices: Other prices than the log's.
        logged_policy: Only rows that were decided under the policy of this name.
        rules: What the policy must show to be promoted.
        serving: Only rows of this version of its policy, and those that name none.

    Returns:
        `n`, `n_infeasible`, `n_changed`, `moves`, `before` and `after` (mean predicted cost and quality),
        `ope`: what `pointsman.learning.gate` says, or `disabled` with the reason.
    """
    found = Replay(policy, prices, logged_policy, rules, serving)
    for row in rows:
        found.add(row)
    return found.report()
