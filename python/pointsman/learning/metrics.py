"""Figures of merit of a router, as the papers define them. Pure numpy; every array is float64.

A curve is a pair of arrays (cost, quality): a router's mean cost and quality at each position of its dial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Curve = tuple[Floats, Floats]

N_BINS = 15
"""Bins of `ece` (Guo et al. 2017)."""


def hull(cost: Floats, quality: Floats) -> Curve:
    """The non-decreasing convex hull of points, ascending in both (NDCH of RouterBench, arXiv 2403.12031).

    Two routers' points are joined by a line because tossing a coin between them is a router too. Of points of
    one cost the best counts, of points of one quality the cheapest.

    Example:
        >>> hull(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.2, 0.3, 0.6, 0.5]))
        (array([1., 3.]), array([0.2, 0.6]))
    """
    kept: list[tuple[float, float]] = []
    for place in np.lexsort((-quality, cost)):
        point = (float(cost[place]), float(quality[place]))
        if kept and point[1] <= kept[-1][1]:
            continue
        while len(kept) > 1 and _turns_left(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    corners = np.array(kept)
    return corners[:, 0], corners[:, 1]


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on or below the line from a to c."""
    return (b[0] - a[0]) * (c[1] - a[1]) >= (c[0] - a[0]) * (b[1] - a[1])


def aiq(curve: Curve, cost_range: tuple[float, float]) -> float:
    """Average improvement in quality: mean of the hull over a range of costs (AIQ of RouterBench).

    Right of the hull its last quality holds. Left of it, where the router cannot go, prompts are left
    unanswered: the line to no cost and no quality.
    """
    low, high = cost_range
    costs, qualities = hull(*curve)
    if costs[0] > 0:
        costs, qualities = np.append(0.0, costs), np.append(0.0, qualities)
    if high <= low:
        return float(np.interp(low, costs, qualities))
    inside = costs[(costs > low) & (costs < high)]
    grid = np.concatenate(([low], inside, [high]))
    return float(np.trapezoid(np.interp(grid, costs, qualities), grid) / (high - low))


def cost_of(curve: Curve, quality: float) -> float | None:
    """Least cost at which the hull of a curve has this quality; `None` where it never has."""
    costs, qualities = hull(*curve)
    if quality > qualities[-1] + 1e-12:
        return None
    return float(np.interp(quality, qualities, costs))


def saved(curve: Curve, best_single: tuple[float, float], share: float) -> float:
    """Share of the best single model's cost saved at this share of its quality, read off the curve's hull.

    Where the curve has that quality at no lower cost or not at all, the best single model is taken itself: 0.

    Args:
        curve: The router's.
        best_single: Cost and quality of the best single model.
        share: Of its quality, such as 0.98.
    """
    cost, quality = best_single
    reached = cost_of(curve, share * quality)
    if reached is None or cost <= 0:
        return 0.0
    return max(0.0, 1.0 - reached / cost)


def gap_recovered(lead: Floats, weak: Floats, strong: Floats) -> Curve | None:
    """Performance gap recovered by the share of calls to the strong model: RouteLLM's PGR (arXiv 2406.18665).

    Prompts go to the strong model in descending order of `lead`; those of one lead as if in random order.

    Args:
        lead: How much better the strong model is predicted to be, a number a prompt.
        weak: Quality of the weak model's answer.
        strong: Quality of the strong model's answer.

    Returns:
        Ascending shares of calls from 0 to 1, and the gap recovered at each; linear in between. `None` where
        the strong model is not better.
    """
    gain = strong - weak
    if len(lead) == 0 or gain.sum() <= 0:
        return None
    order = np.argsort(-lead, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(lead[order]) != 0), len(lead) - 1) + 1
    recovered = np.append(0.0, np.cumsum(gain[order])[ends - 1] / gain.sum())
    return np.append(0.0, ends / len(lead)), recovered


def apgr(lead: Floats, weak: Floats, strong: Floats) -> float | None:
    """Average performance gap recovered: the area under `gap_recovered` (APGR of RouteLLM). 0.5 is random.

    Example:
        >>> apgr(np.array([2.0, 1.0]), weak=np.array([0.0, 1.0]), strong=np.array([1.0, 1.0]))
        0.75
    """
    curve = gap_recovered(lead, weak, strong)
    return None if curve is None else float(np.trapezoid(curve[1], curve[0]))


def cpt(lead: Floats, weak: Floats, strong: Floats, share: float) -> float | None:
    """Call-performance threshold: least share of calls to the strong model that recovers `share` of the gap.

    CPT(50 %) of RouteLLM is `cpt(..., 0.5)`.
    """
    curve = gap_recovered(lead, weak, strong)
    if curve is None:
        return None
    calls, recovered = curve
    after = int(np.argmax(recovered >= share - 1e-12))
    if after == 0:
        return 0.0
    rise = recovered[after] - recovered[after - 1]
    part = (share - recovered[after - 1]) / rise
    return float(calls[after - 1] + part * (calls[after] - calls[after - 1]))


def auc(predicted: Floats, quality: Floats) -> float | None:
    """Probability that a good answer was predicted better than a bad one; `None` without both.

    Ties count half.

    A quality between 0 and 1 is that much of a good answer and the rest of a bad one.
    """
    order = np.argsort(predicted, kind="stable")
    _, group = np.unique(predicted[order], return_inverse=True)
    good = np.bincount(group, weights=quality[order])
    bad = np.bincount(group, weights=1 - quality[order])
    n_pairs = good.sum() * bad.sum()
    if n_pairs <= 0:
        return None
    bad_below = np.cumsum(bad) - bad
    return float((good * (bad_below + bad / 2)).sum() / n_pairs)


def brier(predicted: Floats, quality: Floats) -> float:
    """Mean squared error of the predictions."""
    return float(np.mean((predicted - quality) ** 2))


def ece(predicted: Floats, quality: Floats) -> float:
    """Expected calibration error: |mean prediction - mean quality| of bins of equal width, by their size."""
    bins = np.minimum((predicted * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weights=predicted - quality, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(predicted))
