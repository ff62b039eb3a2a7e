"""From predictions and choices to the figures that `pointsman eval` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pointsman.learning import metrics

if TYPE_CHECKING:
    from pointsman.learning.data import Floats, OutcomeTable, Places

_SHARES = ("1.00", "0.98", "0.95")
"""Of the best single model's quality, at which savings are reported."""


@dataclass(slots=True)
class Scored:
    """What one judge predicted (f64[n, m]) and chose (i64[n, positions of the dial]), batch by batch."""

    predicted: list[Floats] = field(default_factory=list)
    chosen: list[Places] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of a protocol.

    Attributes:
        rows: Rows scored, in the order of what was predicted.
        judges: By name: the router, length alone, the table of tasks.
        settled: The position of the dial that training prompts chose, i64[n].
        singles: The means of single models as predictions, f64[n, m].
        n_train: Prompts learned from, of the largest part.
        timed_us: Microseconds of single decisions.
    """

    rows: Places
    judges: dict[str, Scored]
    settled: Places
    singles: Floats
    n_train: int
    timed_us: Floats


@dataclass(frozen=True, slots=True)
class Curves:
    """Points (cost in US dollars, quality) and curves of one run, for a plot."""

    best_single: tuple[float, float]
    oracle: tuple[float, float]
    random: tuple[float, float]
    by_name: dict[str, metrics.Curve]


def report(table: OutcomeTable, run: Run, pair: tuple[int, int]) -> tuple[dict[str, Any], Curves]:
    """The figures of one run, and its curves.

    Args:
        table: The graded answers.
        run: What was predicted and chosen.
        pair: Places of the weak and the strong model.
    """
    quality, cost = table.quality[run.rows], table.cost_usd[run.rows]
    singles = np.nanmean(cost, axis=0), np.nanmean(quality, axis=0)
    best = int(np.lexsort((singles[0], -singles[1]))[0])
    best_single = float(singles[0][best]), float(singles[1][best])
    oracle = _oracle(quality, cost)
    random = float(np.mean(singles[0])), float(np.mean(singles[1]))
    curves = {name: _curve(scored, quality, cost) for name, scored in run.judges.items()}
    curves["zero_router"] = singles
    predicted = {name: np.concatenate(scored.predicted) for name, scored in run.judges.items()}
    predicted["zero_router"] = run.singles
    cost_range = float(singles[0].min()), float(singles[0].max())
    figures: dict[str, Any] = {
        "n_train": run.n_train,
        "n_test": len(run.rows),
        "models": list(table.models),
        "best_single": {"model": table.models[best], **_point(best_single)},
        "oracle": _point(oracle),
        "random": _point(random),
        **{
            name: _figures(curves[name], predicted[name], quality, best_single, cost_range)
            for name in ("router", "zero_router", "length_only", "task_table")
        },
        "pair": _pair(table, predicted["router"], quality, pair),
        "decision_us": {f"p{q}": round(float(np.percentile(run.timed_us, q)), 1) for q in (50, 99)},
    }
    figures["router"]["quality_alone"] = _point(
        (float(curves["router"][0][-1]), float(curves["router"][1][-1]))
    )
    figures["router"]["dial_from_training"] = _settled(run, quality, cost, best_single[0])
    return figures, Curves(best_single, oracle, random, curves)


def _point(point: tuple[float, float]) -> dict[str, float]:
    return {"quality": point[1], "cost_usd": point[0]}


def _settled(run: Run, quality: Floats, cost: Floats, best_single_usd: float) -> dict[str, float | None]:
    """The router's point at the dial that training prompts chose: no look at what is scored."""
    rows = np.arange(len(run.rows))
    chosen = np.concatenate(run.judges["router"].chosen)[rows, run.settled]
    usd = float(cost[rows, chosen].mean())
    share = usd / best_single_usd if best_single_usd > 0 else None
    return {"quality": float(quality[rows, chosen].mean()), "cost_usd": usd, "of_best_single": share}


def _oracle(quality: Floats, cost: Floats) -> tuple[float, float]:
    """Cost and quality when the best answer of each prompt is chosen, of equals the cheapest."""
    best = np.nanmax(quality, axis=1, keepdims=True)
    cheapest = np.where(quality == best, cost, np.inf).min(axis=1)
    return float(cheapest.mean()), float(best.mean())


def _curve(scored: Scored, quality: Floats, cost: Floats) -> metrics.Curve:
    """Mean cost and quality of what was chosen at each position of the dial."""
    chosen = np.concatenate(scored.chosen)
    rows = np.arange(len(chosen))[:, None]
    return cost[rows, chosen].mean(axis=0), quality[rows, chosen].mean(axis=0)


def _figures(
    curve: metrics.Curve,
    predicted: Floats,
    quality: Floats,
    best_single: tuple[float, float],
    cost_range: tuple[float, float],
) -> dict[str, Any]:
    """Of one judge: its best point, its curve, and how good its predictions are."""
    costs, qualities = metrics.hull(*curve)
    best = float(costs[-1]), float(qualities[-1])
    is_graded = ~np.isnan(quality)
    pairs = predicted[is_graded], quality[is_graded]
    return {
        **_point(best),
        "aiq": metrics.aiq(curve, cost_range),
        "saved_at": {share: metrics.saved(curve, best_single, float(share)) for share in _SHARES},
        "cost_at_best": best[0] / best_single[0] if best_single[0] > 0 else None,
        "auc": metrics.auc(*pairs),
        "brier": metrics.brier(*pairs),
        "ece": metrics.ece(*pairs),
    }


def _pair(table: OutcomeTable, predicted: Floats, quality: Floats, pair: tuple[int, int]) -> dict[str, Any]:
    """RouteLLM's figures, over the prompts that both models answered."""
    weak, strong = pair
    both = ~np.isnan(quality[:, weak]) & ~np.isnan(quality[:, strong])
    lead = (predicted[:, strong] - predicted[:, weak])[both]
    answers = quality[both, weak], quality[both, strong]
    return {
        "weak": table.models[weak],
        "strong": table.models[strong],
        "apgr": metrics.apgr(lead, *answers),
        "cpt50": metrics.cpt(lead, *answers, 0.5),
        "cpt80": metrics.cpt(lead, *answers, 0.8),
    }


def average(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Means of the figures over runs, with the deviations of the router's and the pair's in `sd`."""
    if len(reports) == 1:
        return reports[0]
    mean = _merged(reports, lambda values: float(np.mean(values)))
    spread = _merged([{key: one[key] for key in ("router", "pair")} for one in reports], _deviation)
    spread["pair"] = {key: value for key, value in spread["pair"].items() if key not in {"weak", "strong"}}
    return {**mean, "n_runs": len(reports), "sd": spread}


def _deviation(values: list[float]) -> float:
    return float(np.std(values, ddof=1))


def _merged(values: list[Any], of: Any) -> Any:
    """The same shape with `of` in place of each list of numbers; what is no number is that of the first."""
    first = values[0]
    if isinstance(first, dict):
        return {key: _merged([one[key] for one in values], of) for key in first}
    numbers = [one for one in values if isinstance(one, int | float)]
    if not numbers or all(isinstance(one, int) for one in numbers):
        return first
    return of(numbers)
