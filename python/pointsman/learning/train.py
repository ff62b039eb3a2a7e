"""Teaching a core from graded answers: the very estimator that serves, by the call that serving makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from pointsman._native import Catalog, Core
from pointsman.types import Outcome, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from pointsman.learning.data import OutcomeTable

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]

NOW_S = 1_700_000_000.0
"""When everything offline happens, Unix time: nothing fades while it is learned."""

_BATCH = 256
_NANO_USD_PER_MTOK = 1e9
"""USD per 1M tokens to nano-dollars per 1M."""
_PSEUDO_TOKENS = 500.0
"""Answer length that costs are expressed in where the table tells no lengths or prices."""
_MISFIT = 0.05
"""Listed prices are used if they explain the median cost this well."""
_UNKNOWN_QUALITY = 0.5
"""Prior of a model without any outcome."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the core sees of one prompt, read once and learned from often."""

    domain: str
    complexity: str
    structure: str
    features: bytes
    n_input_tokens: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a model's tokens cost, and how many its answers are taken to have.

    Attributes:
        input: USD per 1M tokens.
        output: USD per 1M tokens.
        output_tokens: f64[n]; NaN where the model has no answer.
    """

    input: float
    output: float
    output_tokens: Floats


def batches(places: Places) -> Iterator[Places]:
    """The places, some hundreds at a time."""
    for start in range(0, len(places), _BATCH):
        yield places[start : start + _BATCH]


def ask(prompt: str, allowed_models: tuple[str, ...] | None = None) -> Request:
    """A request of one user message."""
    return Request(messages=[{"role": "user", "content": prompt}], allowed_models=allowed_models)


def read(prompts: Sequence[str], on_step: Callable[[int], None]) -> list[Reading]:
    """What the core sees of each prompt."""
    core = Core(catalog({"m": 0.5}, {"m": Tariff(1.0, 1.0, np.empty(0))}))
    readings = []
    for batch in batches(np.arange(len(prompts))):
        requests = [ask(prompts[place]) for place in batch]
        for decision in core.decide_many(requests, now_s=NOW_S, seed=0):
            if isinstance(decision, Exception):  # One deployment that may do all is always feasible.
                raise decision
            readings.append(
                Reading(
                    decision.domain,
                    decision.complexity,
                    decision.structure,
                    decision.features,
                    decision.n_input_tokens,
                )
            )
        on_step(len(batch))
    return readings


def catalog(qualities: dict[str, float], tariffs: dict[str, Tariff]) -> Catalog:
    """A catalog of one deployment a model, of its name; nothing but price and quality tells them apart."""

    def deployment(model: str) -> dict[str, Any]:
        tariff = tariffs[model]
        return {
            "name": model,
            "model": model,
            "provider": "table",
            "price_nano_usd_per_mtok": {
                "input": round(tariff.input * _NANO_USD_PER_MTOK),
                "output": round(tariff.output * _NANO_USD_PER_MTOK),
            },
            "latency": {"ttft_p50_ms": 100, "ttft_p95_ms": 200, "tokens_per_s": 100},
        }

    models = [
        {"name": model, "context_window": 1_000_000_000, "quality": {"default": quality}}
        for model, quality in qualities.items()
    ]
    document = {
        "models": models,
        "providers": [{"name": "table"}],
        "deployments": [deployment(model) for model in qualities],
    }
    return Catalog.from_json(orjson.dumps(document))


def tariffs(table: OutcomeTable, places: Places, n_input_tokens: Floats) -> dict[str, Tariff]:
    """What each model's tokens cost, from these rows: as listed if that explains the costs, else inferred.

    Inferred: the price of input is the slope of cost over input tokens, the rest is output of a length that
    makes the costs come out.
    """
    return {
        model: _listed(table, places, n_input_tokens, column)
        or _inferred(table, places, n_input_tokens, column)
        for column, model in enumerate(table.models)
    }


def _listed(table: OutcomeTable, places: Places, n_input: Floats, column: int) -> Tariff | None:
    price = table.prices.get(table.models[column])
    cost, n_output = table.cost_usd[:, column], table.output_tokens[:, column]
    known = places[~np.isnan(cost[places])]
    if price is None or not len(known) or np.isnan(n_output[known]).any():
        return None
    explained = (price[0] * n_input[known] + price[1] * n_output[known]) / 1e6
    if abs(np.median(explained) - np.median(cost[known])) > _MISFIT * np.median(cost[known]):
        return None
    return Tariff(price[0], price[1], n_output)


def _inferred(table: OutcomeTable, places: Places, n_input: Floats, column: int) -> Tariff:
    cost = table.cost_usd[:, column]
    known = places[~np.isnan(cost[places])]
    if not len(known) or cost[known].max() <= 0:
        return Tariff(0.0, 0.0, np.where(np.isnan(cost), np.nan, 0.0))
    slope = _slope(n_input[known], cost[known])
    rest = cost - slope * n_input
    per_token = max(float(np.mean(rest[known])), 0.0) / _PSEUDO_TOKENS
    if per_token == 0:
        return Tariff(1e6 * slope, 0.0, np.where(np.isnan(cost), np.nan, 0.0))
    return Tariff(1e6 * slope, 1e6 * per_token, np.maximum(rest, 0.0) / per_token)


def _slope(x: Floats, y: Floats) -> float:
    """Least squares with a constant, both >= 0."""
    deviation = x - x.mean()
    spread = float(deviation @ deviation)
    slope = float(deviation @ (y - y.mean())) / spread if spread > 0 else 0.0
    through_origin = float(x @ y) / float(x @ x) if x.any() else 0.0
    return through_origin if slope * x.mean() > y.mean() else max(slope, 0.0)


def priors(table: OutcomeTable, places: Places) -> dict[str, float]:
    """Each model's mean quality on these rows: the score a registry would have of it."""
    quality = table.quality[places]
    n_graded = (~np.isnan(quality)).sum(axis=0)
    means = np.nansum(quality, axis=0) / np.maximum(n_graded, 1)
    means = np.where(n_graded > 0, means, _UNKNOWN_QUALITY)
    return {model: float(mean) for model, mean in zip(table.models, means, strict=True)}


def teach(
    core: Core,
    table: OutcomeTable,
    places: Places,
    readings: Sequence[Reading],
    output_tokens: dict[str, Floats],
    *,
    now_s: float = NOW_S,
    on_step: Callable[[int], None] = lambda _: None,
) -> None:
    """Tell the core every graded answer of these rows, in their order.

    Args:
        core: Its catalog has a deployment of every model's name.
        table: The graded answers.
        places: Rows of the table.
        readings: Of every row of the table.
        output_tokens: By model the answer's length in every row; NaN: not told.
        now_s: When the answers were given, Unix time.
        on_step: Told of the rows done.
    """
    lengths = [output_tokens[model] for model in table.models]
    for batch in batches(places):
        for place in batch:
            reading = readings[place]
            for column in np.flatnonzero(~np.isnan(table.quality[place])):
                n_output = lengths[column][place]
                outcome = Outcome(
                    deployment=table.models[column],
                    domain=reading.domain,
                    complexity=reading.complexity,
                    structure=reading.structure,
                    features=reading.features,
                    n_input_tokens=reading.n_input_tokens,
                    n_output_tokens=None if np.isnan(n_output) else round(float(n_output)),
                    reward=float(table.quality[place, column]),
                )
                core.observe(outcome, now_s=now_s)
        on_step(len(batch))
