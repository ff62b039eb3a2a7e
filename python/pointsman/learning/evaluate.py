"""Scoring what is served on graded answers it never saw, beside what needs no router.

A core learns the rows of one part by `observe` and decides those of the other once for every position of the
dial `quality_value_usd`; the means of the answers chosen are its cost-quality curve.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pointsman._native import Core
from pointsman.learning import rivals
from pointsman.learning.data import TableError
from pointsman.learning.report import Curves, Run, Scored, average, report
from pointsman.learning.train import NOW_S, Reading, ask, batches, catalog, priors, read, tariffs, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pointsman.learning.data import Floats, OutcomeTable, Places
    from pointsman.learning.protocol import Protocol

N_DIAL = 240
"""Positions of the dial between a cent of the cheapest call and 10,000 of the dearest, in equal ratios."""
DEAREST_USD = 1e9
"""The last position: quality alone."""
_N_TIMED = 1000
_REHEARSED = 0.25
"""Share of the training prompts that the dial is set on."""


def evaluate(
    table: OutcomeTable,
    protocol: Protocol,
    *,
    train_on: OutcomeTable | None = None,
    pair: tuple[str, str] | None = None,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[dict[str, Any], Curves]:
    """The report of `pointsman eval`, and the curves behind it.

    Args:
        table: What is scored; what is not scored of it is learned from.
        protocol: How it is parted.
        train_on: Learn from all of this one instead, and score all of `table`; of the same models.
        pair: The weak and the strong model of RouteLLM's figures; the cheapest and the best if not given.
        on_step: Told of the steps done and of all there are.

    Raises:
        TableError: A part would be empty; a model of the pair, or of the table, is not known.
    """
    if train_on is not None:
        table, parts_of_run = _joined(table, train_on)
    else:
        parts_of_run = [protocol.parts(table, run) for run in range(protocol.n_runs)]
    weak, strong = _pair(table, pair)
    steps = _Steps(table, parts_of_run, on_step)
    readings = read(table.prompts, steps)
    dial = dial_of(table)
    reports, curves = [], []
    for parts in parts_of_run:
        run = _run(table, parts, readings, dial, steps)
        figures, drawn = report(table, run, (weak, strong))
        reports.append(figures)
        curves.append(drawn)
    return average(reports), curves[0]


class _Steps:
    """Counts prompts read, learned and scored."""

    def __init__(
        self,
        table: OutcomeTable,
        runs: list[list[tuple[Places, Places]]],
        on_step: Callable[[int, int], None],
    ) -> None:
        self._total = len(table) + sum(len(train) + len(test) for parts in runs for train, test in parts)
        self._done = 0
        self._on_step = on_step

    def __call__(self, n: int) -> None:
        self._done += n
        self._on_step(self._done, self._total)


def dial_of(table: OutcomeTable) -> list[float]:
    """Positions of the dial, US dollars for a unit of quality, ascending from 0."""
    costs = rivals.mean_costs(table, np.arange(len(table)))
    positive = costs[costs > 0]
    if not len(positive):
        return [0.0, DEAREST_USD]
    low, high = 0.01 * positive.min(), 1e4 * positive.max()
    between = np.geomspace(low, min(high, DEAREST_USD / 2), N_DIAL)
    return [0.0, *(float(value) for value in between), DEAREST_USD]


def _joined(
    table: OutcomeTable, train_on: OutcomeTable
) -> tuple[OutcomeTable, list[list[tuple[Places, Places]]]]:
    """Both tables in one, the rows of the first scored and those of the second learned from."""
    missing = [model for model in table.models if model not in train_on.models]
    if missing:
        raise TableError(
            f"--train: has no outcomes of {', '.join(missing)}, which are to be scored: "
            f"it knows {', '.join(train_on.models)}"
        )
    both = table.followed_by(train_on)
    n = len(table)
    return both, [[(np.random.default_rng(0).permutation(len(train_on)) + n, np.arange(n))]]


def _pair(table: OutcomeTable, pair: tuple[str, str] | None) -> tuple[int, int]:
    for name in pair or ():
        if name not in table.models:
            raise TableError(
                f"--pair: {name!r} is no model of the table: give two of {', '.join(table.models)}"
            )
    if pair is not None:
        if pair[0] == pair[1]:
            raise TableError(f"--pair: {pair[0]!r} is both: give a weak and a strong model")
        return table.models.index(pair[0]), table.models.index(pair[1])
    everywhere = np.arange(len(table))
    strong = int(np.argmax(rivals.model_means(table, everywhere)))
    costs = rivals.mean_costs(table, everywhere)
    costs[strong] = np.inf
    return int(np.argmin(costs)), strong


def _run(
    table: OutcomeTable,
    parts: list[tuple[Places, Places]],
    readings: Sequence[Reading],
    dial: list[float],
    steps: Callable[[int], None],
) -> Run:
    judges = {name: Scored() for name in ("router", "length_only", "task_table")}
    singles, timed, settled = [], [], []
    n_input = np.array([reading.n_input_tokens for reading in readings], dtype=np.float64)
    for train, test in parts:
        tariff = tariffs(table, train, n_input)
        core = Core(catalog(priors(table, train), tariff))
        lengths = {model: one.output_tokens for model, one in tariff.items()}
        position = _learn(core, table, train, (readings, lengths), dial, steps)
        settled.append(np.full(len(test), position))
        _ask_router(core, table, test, dial, judges["router"], steps)
        costs = rivals.mean_costs(table, train)
        for name, predict in (("length_only", rivals.by_length), ("task_table", rivals.by_task)):
            predicted = predict(table, train, test)
            judges[name].predicted.append(predicted)
            judges[name].chosen.append(_choose(predicted, costs, table.quality[test], dial))
        singles.append(np.tile(rivals.model_means(table, train), (len(test), 1)))
        timed.append(_time(core, table, test[: _N_TIMED // len(parts) + 1]))
    return Run(
        rows=np.concatenate([test for _, test in parts]),
        judges=judges,
        singles=np.concatenate(singles),
        settled=np.concatenate(settled),
        n_train=max(len(train) for train, _ in parts),
        timed_us=np.concatenate(timed),
    )


def _learn(
    core: Core,
    table: OutcomeTable,
    train: Places,
    learnable: tuple[Sequence[Reading], dict[str, Floats]],
    dial: list[float],
    steps: Callable[[int], None],
) -> int:
    """Teach all of `train`; the position of the dial with the best answers to its last prompts.

    Each of those is decided before it is learned, so that nothing but training prompts sets the dial.
    """
    start = len(train) - round(_REHEARSED * len(train))
    teach(core, table, train[:start], *learnable, on_step=steps)
    rehearsed = Scored()
    for batch in batches(train[start:]):
        _ask_router(core, table, batch, dial, rehearsed, lambda _: None)
        teach(core, table, batch, *learnable, on_step=steps)
    if not rehearsed.chosen:
        return len(dial) - 1
    chosen = np.concatenate(rehearsed.chosen)
    # The first of equals, which is the cheapest.
    return int(np.argmax(table.quality[train[start:, None], chosen].mean(axis=0)))


def _ask_router(
    core: Core,
    table: OutcomeTable,
    test: Places,
    dial: list[float],
    scored: Scored,
    steps: Callable[[int], None],
) -> None:
    """Predictions and choices as served; of a prompt only models that answered it may be chosen."""
    n_models = len(table.models)
    for batch in batches(test):
        requests = [ask(table.prompts[place], _answered_by(table, place)) for place in batch]
        quality, _, chosen = core.sweep_many(requests, dial, now_s=NOW_S, seed=0)
        predicted = np.frombuffer(quality, dtype=np.float64).reshape(len(batch), n_models)
        scored.predicted.append(predicted)
        places = np.frombuffer(chosen, dtype=np.int32).astype(np.int64)
        scored.chosen.append(places.reshape(len(batch), len(dial)))
        steps(len(batch))


def _answered_by(table: OutcomeTable, place: int) -> tuple[str, ...] | None:
    """The models with an answer, if not all have one."""
    is_missing = np.isnan(table.quality[place])
    if not is_missing.any():
        return None
    return tuple(model for model, missing in zip(table.models, is_missing, strict=True) if not missing)


def _choose(predicted: Floats, costs: Floats, quality: Floats, dial: list[float]) -> Places:
    """The best value at each position of the dial, i64[n, k], of those that answered; ties to the cheaper."""
    by_cost = np.argsort(costs, kind="stable")
    barred = np.where(np.isnan(quality), -np.inf, 0.0)[:, by_cost]
    chosen = [np.argmax(value * predicted[:, by_cost] - costs[by_cost] + barred, axis=1) for value in dial]
    best: Places = by_cost[np.stack(chosen, axis=1)]
    return best


def _time(core: Core, table: OutcomeTable, places: Places) -> Floats:
    """Microseconds of `Core.decide` on each prompt, through Python."""
    taken = []
    for place in places:
        request = ask(table.prompts[place])
        start = time.perf_counter_ns()
        core.decide(request, now_s=NOW_S, seed=0)
        taken.append((time.perf_counter_ns() - start) / 1000)
    return np.array(taken)
