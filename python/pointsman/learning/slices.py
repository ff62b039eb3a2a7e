"""Slice discovery: which model beats which on which slice, with the share of false claims under control.

Slices are cells of up to three of: task, domain, structure, length. Every pair of models is compared in every
cell that holds enough graded answers of both, two-sided; Benjamini and Yekutieli (2001) turn p-values into
q-values that hold whatever the dependence between nested cells and pairs of one model: of all claims with
q <= 0.05 at most 5 % are expected to be false.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from pointsman.learning.data import OutcomeTable

    Floats = NDArray[np.float64]

DIMENSIONS = ("task", "domain", "structure", "length")
MAX_DIMENSIONS = 3
"""Finer cells hold too few answers to say anything."""
MIN_ANSWERS = 50
"""Least graded answers of either model in a cell: below, a normal p-value is not to be trusted."""
_LENGTHS = ((128, "under 128 tokens"), (512, "128 to 512 tokens"), (2048, "512 to 2,048 tokens"))
_LONGEST = "from 2,048 tokens"


@dataclass(frozen=True, slots=True)
class Answers:
    """Graded answers to n requests by m models.

    Attributes:
        labels: For each of `DIMENSIONS` the label of every request, n; "" where there is none.
        models: Names, m.
        quality: f64[n, m], in [0, 1]; NaN where a model has no graded answer.
        weights: f64[n]: 1 / probability with which a request's answer came from the model that gave it.
        is_paired: Whether the models answered the same requests, so that differences are taken within them.
        cost_usd: Mean cost of each model's answers, m; NaN where unknown.
    """

    labels: Mapping[str, Sequence[str]]
    models: tuple[str, ...]
    quality: Floats
    weights: Floats
    is_paired: bool
    cost_usd: Floats


@dataclass(frozen=True, slots=True)
class Finding:
    """One model beats another on a slice.

    Attributes:
        slice: Labels by dimension.
        winner: The better model there.
        loser: The other.
        gain: Difference of their mean qualities, above 0.
        n: Graded answers it rests on; of the model that has fewer, where they answered different requests.
        p: Two-sided p-value.
        q: The same after Benjamini and Yekutieli.
        is_cheaper: Whether the winner's answers cost less on average.
    """

    slice: Mapping[str, str]
    winner: str
    loser: str
    gain: float
    n: int
    p: float
    q: float
    is_cheaper: bool

    def words(self) -> str:
        """The finding as a sentence."""
        what = " ".join(self.slice[name] for name in DIMENSIONS if name in self.slice)
        return (
            f"{self.winner} beats {self.loser} on {what or 'everything'}: {100 * self.gain:+.1f} points, "
            f"n={self.n}, q={self.q:.2g}{', and is cheaper' if self.is_cheaper else ''}"
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "slice": dict(self.slice), "words": self.words()}


def discover(answers: Answers, *, max_q: float = 0.05) -> list[Finding]:
    """The findings with q at most `max_q`, the surest first."""
    tests = list(_tests(answers))
    q_values = benjamini_yekutieli(np.array([test.p for test in tests]))
    found = [replace(test, q=float(q)) for test, q in zip(tests, q_values, strict=True) if q <= max_q]
    return sorted(found, key=lambda one: (one.q, -one.gain, one.words()))


def benjamini_yekutieli(p_values: Floats) -> Floats:
    """q-values: the least false discovery rate at which each would be claimed, under any dependence.

    Example:
        >>> benjamini_yekutieli(np.array([0.001, 0.5])).round(4).tolist()
        [0.003, 0.75]
    """
    m = len(p_values)
    if m == 0:
        return p_values
    order = np.argsort(p_values)
    harmonic = float((1.0 / np.arange(1, m + 1)).sum())
    raw = p_values[order] * m * harmonic / np.arange(1, m + 1)
    q_values = np.empty(m)
    q_values[order] = np.minimum.accumulate(raw[::-1])[::-1].clip(max=1.0)
    return q_values


def plainest(findings: Iterable[Finding]) -> list[Finding]:
    """Those that no coarser slice says already, of the same pair in the same direction."""
    listed = list(findings)

    def is_said(one: Finding) -> bool:
        return any(
            (other.winner, other.loser) == (one.winner, one.loser)
            and len(other.slice) < len(one.slice)
            and other.slice.items() <= one.slice.items()
            for other in listed
        )

    return [one for one in listed if not is_said(one)]


def of_log(rows: Iterable[Mapping[str, Any]]) -> Answers:
    """The graded answers of a decision log, each of one model, weighed by its propensity."""
    graded = [
        row
        for row in rows
        if row["reward"] is not None and row["deployment"] == row["chosen"] and row["cache_layer"] is None
    ]
    models = tuple(sorted({row["model"] for row in graded}))
    place = {model: index for index, model in enumerate(models)}
    quality = np.full((len(graded), len(models)), np.nan)
    cost = np.full_like(quality, np.nan)
    for index, row in enumerate(graded):
        quality[index, place[row["model"]]] = row["reward"]
        cost[index, place[row["model"]]] = row["cost_usd"]
    labels = {
        "task": [row["task"] or "" for row in graded],
        "domain": [row["domain"] for row in graded],
        "structure": [row["structure"] for row in graded],
        "length": [length_label(row["n_expected_input_tokens"]) for row in graded],
    }
    weights = np.array([1.0 / row["propensity"] for row in graded])
    return Answers(labels, models, quality, weights, is_paired=False, cost_usd=_mean(cost))


def of_table(table: OutcomeTable) -> Answers:
    """A table of graded answers; domain, structure and length are the core's reading of each prompt."""
    read = [_reading(prompt) for prompt in table.prompts]
    labels = {
        "task": [str(task) for task in table.tasks],
        "domain": [domain for domain, _, _ in read],
        "structure": [structure for _, structure, _ in read],
        "length": [length_label(n_tokens) for _, _, n_tokens in read],
    }
    weights = np.ones(len(table.prompts))
    quality = np.asarray(table.quality, dtype=np.float64)
    return Answers(labels, table.models, quality, weights, is_paired=True, cost_usd=_mean(table.cost_usd))


def length_label(n_tokens: int) -> str:
    """The length of an input in words."""
    return next((words for below, words in _LENGTHS if n_tokens < below), _LONGEST)


def _reading(prompt: str) -> tuple[str, str, int]:
    from pointsman.types import Request

    request = Request(messages=[{"role": "user", "content": prompt or " "}])
    decision = _reader().decide(request, now_s=0.0, seed=0)
    return decision.domain, decision.structure, decision.n_input_tokens


def _reader() -> Any:
    """A core over one deployment: it reads what a request is."""
    global _READER
    if _READER is None:
        from pointsman._native import Catalog, Core

        _READER = Core(Catalog.from_json(_ONE_DEPLOYMENT))
    return _READER


_READER: Any = None
_ONE_DEPLOYMENT = (
    b'{"models": [{"name": "m", "context_window": 1000000000, "quality": {"default": 0.5}}],'
    b' "providers": [{"name": "p"}], "deployments": [{"name": "d", "model": "m", "provider": "p",'
    b' "price_nano_usd_per_mtok": {"input": 1, "output": 1},'
    b' "latency": {"ttft_p50_ms": 1, "ttft_p95_ms": 1, "tokens_per_s": 1}}]}'
)


def _mean(values: Floats) -> Floats:
    counted = ~np.isnan(values)
    totals: Floats = np.where(counted, values, 0.0).sum(axis=0)
    return totals / np.where(counted.any(axis=0), counted.sum(axis=0), np.nan)


def _tests(answers: Answers) -> Iterator[Finding]:
    for cell, rows in _cells(answers):
        for a, b in combinations(range(len(answers.models)), 2):
            tested = _test(answers, rows, a, b)
            if tested is None:
                continue
            gain, n, p = tested
            winner, loser = (a, b) if gain > 0 else (b, a)
            yield Finding(
                slice=cell,
                winner=answers.models[winner],
                loser=answers.models[loser],
                gain=abs(gain),
                n=n,
                p=p,
                q=1.0,
                is_cheaper=bool(answers.cost_usd[winner] < answers.cost_usd[loser]),
            )


def _cells(answers: Answers) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
    """Every cell that may hold enough answers with its rows, the whole first; cells of equal rows once."""
    n = len(answers.weights)
    columns = {name: np.array(answers.labels[name], dtype=object) for name in DIMENSIONS}
    known = {name: sorted(set(column) - {""}) for name, column in columns.items()}
    seen = set()

    def narrowed(names: tuple[str, ...]) -> Iterator[tuple[dict[str, str], NDArray[np.bool_]]]:
        if not names:
            yield {}, np.ones(n, dtype=bool)
            return
        for cell, rows in narrowed(names[:-1]):
            for label in known[names[-1]]:
                inside = rows & (columns[names[-1]] == label)
                if inside.sum() >= MIN_ANSWERS:
                    yield {**cell, names[-1]: label}, inside

    for size in range(MAX_DIMENSIONS + 1):
        for names in combinations(DIMENSIONS, size):
            for cell, rows in narrowed(names):
                key = np.packbits(rows).tobytes()
                if key not in seen:
                    seen.add(key)
                    yield cell, rows


def _test(answers: Answers, rows: NDArray[np.bool_], a: int, b: int) -> tuple[float, int, float] | None:
    """Difference of mean quality, number of answers, two-sided p-value; `None`: too little is known."""
    first, second = answers.quality[rows, a], answers.quality[rows, b]
    if answers.is_paired:
        gaps = (first - second)[~np.isnan(first - second)]
        if len(gaps) < MIN_ANSWERS:
            return None
        gain, variance, n = float(gaps.mean()), float(gaps.var(ddof=1)) / len(gaps), len(gaps)
    else:
        sides = [_weighted(side, answers.weights[rows]) for side in (first, second)]
        n = min(side[2] for side in sides)
        if n < MIN_ANSWERS:
            return None
        gain, variance = sides[0][0] - sides[1][0], sides[0][1] + sides[1][1]
    if variance <= 0.0:
        return None
    return gain, n, math.erfc(abs(gain) / math.sqrt(2.0 * variance))


def _weighted(values: Floats, weights: Floats) -> tuple[float, float, int]:
    """Mean, its variance and the number of those that are known."""
    known = ~np.isnan(values)
    values, weights = values[known], weights[known]
    if len(values) == 0:
        return 0.0, 0.0, 0
    total = weights.sum()
    mean = float((weights * values).sum() / total)
    variance = float((weights**2 * (values - mean) ** 2).sum() / total**2)
    return mean, variance, len(values)
