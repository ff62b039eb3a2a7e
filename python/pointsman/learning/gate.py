"""The gate a policy must pass before it may take over, and why one was refused (science.md 2.12).

It passes if, by a log's graded decisions and propensities, its utility is with 95 % confidence no more than
a margin below that of the policy that logged, if its quality in every protected slice is with 95 % confidence
at least the slice's floor, if the log has enough effective rows, and if its propensities are what they say.
Utility is quality less what it costs, in units of quality; where nobody says what quality is worth it is
quality alone. Predictions are those of the time of each decision, so no outcome has touched its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pointsman._native import off_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.config import PromotionSettings
    from pointsman.registry import Policy

LEAST_SLICE_ESS = 30.0
"""Fewest effective rows of a slice that its bound, a normal one, may rest on; chosen."""

PsiRow = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class ProtectedSlice:
    """A slice of requests with a floor.

    Attributes:
        labels: Values by column of the decision log; empty: every request.
        min_quality: The floor, in [0, 1].
    """

    labels: Mapping[str, str]
    min_quality: float

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the log is of the slice."""
        return all(row.get(name) == value for name, value in self.labels.items())

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.labels.items()) or "all requests"


@dataclass(frozen=True, slots=True)
class GateRules:
    """What a policy must show.

    Attributes:
        margin: How much utility it may lose, in [0, 1).
        quality_value_usd: What a quality of 1 instead of 0 is worth, US dollars a request; `None`: costs do
            not count.
        protected: Slices with floors.
    """

    margin: float = 0.0
    quality_value_usd: float | None = None
    protected: tuple[ProtectedSlice, ...] = ()


NO_RULES = GateRules()


@dataclass(slots=True)
class GateRows:
    """Graded decisions as `off_policy` takes them."""

    quality: list[PsiRow] = field(default_factory=list)
    cost_usd: list[PsiRow] = field(default_factory=list)
    of: list[Mapping[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.quality)

    def add(self, row: Mapping[str, Any], *, quality: PsiRow, cost_usd: PsiRow) -> None:
        """Take one decision."""
        self.quality.append(quality)
        self.cost_usd.append(cost_usd)
        kept = ("task", "tenant", "domain", "complexity", "structure")
        self.of.append({name: row.get(name) for name in kept})

    def estimates(self, rules: GateRules) -> dict[str, Any]:
        """What they say: `quality`, `cost_usd` and `utility` as `off_policy` reports them, and `slices`."""
        told = {
            "quality": _report(self.quality, rules.margin),
            "cost_usd": _report(self.cost_usd),
            "slices": [self._slice(one) for one in rules.protected],
        }
        if rules.quality_value_usd is not None:
            told["utility"] = _report(self._utility(rules.quality_value_usd), rules.margin)
        return told

    def _utility(self, value_usd: float) -> list[PsiRow]:
        def less(quality: PsiRow, cost_usd: PsiRow) -> PsiRow:
            weight, *qualities = quality
            reward, predicted, value, logged_value = (
                q - c / value_usd for q, c in zip(qualities, cost_usd[1:], strict=True)
            )
            return weight, reward, predicted, value, logged_value

        return [less(*rows) for rows in zip(self.quality, self.cost_usd, strict=True)]

    def _slice(self, protected: ProtectedSlice) -> dict[str, Any]:
        rows = [psi for psi, row in zip(self.quality, self.of, strict=True) if protected.holds(row)]
        found: dict[str, Any] = _report(rows) if rows else {"n": 0, "ess": 0.0, "dr": None, "dr_lcb": 0.0}
        told = {name: found[name] for name in ("n", "ess", "dr", "dr_lcb")}
        refusals = []
        if found["ess"] < LEAST_SLICE_ESS:
            refusals.append(
                f"slice {protected}: {found['ess']:.0f} effective rows, at least {LEAST_SLICE_ESS:.0f} needed"
                ": log more of it"
            )
        elif found["dr_lcb"] < protected.min_quality:
            refusals.append(
                f"slice {protected}: quality {found['dr']['mean']:.4f}, its lower bound "
                f"{found['dr_lcb']:.4f} is below the floor {protected.min_quality:.4f}"
            )
        return {
            "labels": dict(protected.labels),
            "min_quality": protected.min_quality,
            **told,
            "refusals": refusals,
        }


def refusals(ope: Mapping[str, Any]) -> list[str]:
    """Why a policy may not take over by what a log says of it; empty if it may.

    Example:
        >>> refusals({"disabled": "no graded decision"})
        ['no graded decision']
    """
    if "disabled" in ope:
        return [ope["disabled"]]
    measure = "utility" if "utility" in ope else "quality"
    of_slices = [reason for one in ope["slices"] for reason in one["refusals"]]
    return [f"{measure}: {reason}" for reason in ope[measure]["refusals"]] + of_slices


def gate_rules(
    settings: PromotionSettings | None,
    policy: Policy | None = None,
    *,
    margin: float | None = None,
    quality_value_usd: float | None = None,
) -> GateRules:
    """The rules of a config's section, and what a command says over them.

    Args:
        settings: The section `promotion:`; `None`: none.
        policy: What serves: what quality is worth to it counts where the section says nothing.
        margin: In place of the section's.
        quality_value_usd: In place of the section's.
    """
    slices = () if settings is None else settings.protect
    of_policy = None if policy is None else policy.constraints.quality_value_usd
    value_usd = quality_value_usd or (settings and settings.quality_value_usd) or of_policy
    own_margin = 0.0 if settings is None else settings.margin
    return GateRules(
        margin=own_margin if margin is None else margin,
        quality_value_usd=value_usd or None,
        protected=tuple(ProtectedSlice(one.labels, one.min_quality) for one in slices),
    )


def _report(rows: list[PsiRow], margin: float = 0.0) -> dict[str, Any]:
    report: dict[str, Any] = orjson.loads(off_policy(rows, margin=margin))
    return report
