"""How quality trades for money: the three settings of the dial, the budget price, waiting that costs."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman._native import Catalog, Core, InvalidInput
from pointsman.types import Constraints, Request

NOW_S = 1.7e9
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]


def core_of(*deployments: tuple[float, float, float]) -> Core:
    """Deployments d0, d1, ... of these (quality, US dollars per 1M tokens, ttft p95 in ms)."""
    models = [
        {"name": f"m{i}", "context_window": 9000, "quality": {"default": quality}}
        for i, (quality, _, _) in enumerate(deployments)
    ]
    rows = [
        {
            "name": f"d{i}",
            "model": f"m{i}",
            "provider": "p",
            "price_nano_usd_per_mtok": {"input": round(price * 1e9), "output": round(price * 1e9)},
            "latency": {"ttft_p50_ms": ttft / 2, "ttft_p95_ms": ttft, "tokens_per_s": 100},
        }
        for i, (_, price, ttft) in enumerate(deployments)
    ]
    document = {"models": models, "providers": [{"name": "p"}], "deployments": rows}
    return Core(Catalog.from_json(orjson.dumps(document)))


def decide(core: Core, **constraints: Any) -> dict[str, Any]:
    request = Request(messages=QUESTION, constraints=Constraints(**constraints))
    record: dict[str, Any] = json.loads(core.decide(request, now_s=NOW_S, seed=1).to_json())
    return record


LADDER = ((0.9, 40.0, 1000.0), (0.86, 8.0, 1000.0), (0.7, 2.0, 1000.0), (0.4, 0.1, 1000.0))


def test_within_best_takes_the_cheapest_at_most_that_share_below_the_best() -> None:
    core = core_of(*LADDER)
    chosen = [decide(core, within_best=share)["deployment"] for share in (0, 0.04, 0.05, 0.22, 0.23, 0.6, 1)]
    assert chosen == ["d0", "d0", "d1", "d1", "d2", "d3", "d3"]
    assert (
        decide(core, within_best=0.05)["reason"]
        == "cheapest of 2 deployments within 5.0 % of the best quality 0.90"
    )
    assert decide(core, within_best=0, min_quality=0.3)["deployment"] == "d0"


@settings(max_examples=100, deadline=None)
@given(value=st.floats(0, 100), price=st.none() | st.floats(0, 1e4), waiting=st.floats(0, 0.01))
def test_the_score_is_the_formula(value: float, price: float | None, waiting: float) -> None:
    core = core_of((0.9, 40.0, 4000.0), (0.86, 8.0, 300.0), (0.7, 2.0, 9000.0), (0.4, 0.1, 100.0))
    record = decide(core, quality_value_usd=value, budget_price=price, latency_value_usd_per_s=waiting)
    expected = {
        one["deployment"]: value * one["quality"]
        - (1 + (price or 0)) * one["cost_usd"]
        - waiting * mean_latency_s(record, one)
        for one in record["candidates"]
    }
    scores = {one["deployment"]: one["score"] for one in record["candidates"]}
    assert scores == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert scores[record["deployment"]] == max(scores.values())


def mean_latency_s(record: dict[str, Any], candidate: dict[str, Any]) -> float:
    """Of a log-normal with the candidate's median and 95th percentile."""
    p95_ms = candidate["latency_p95_ms"]
    p50_ms = candidate["ttft_p95_ms"] / 2 + record["task_profile"]["output_tokens"]["p50"] * 1000 / 100
    sigma = math.log(p95_ms / p50_ms) / 1.645
    return float(p50_ms * math.exp(sigma * sigma / 2) / 1000)


def test_the_dial_goes_from_the_cheapest_to_the_best() -> None:
    core = core_of(*LADDER)
    chosen = [decide(core, quality_value_usd=value)["deployment"] for value in (0, 0.002, 0.05, 1e9)]
    assert chosen == ["d3", "d2", "d1", "d0"]
    pressed = [decide(core, budget_price=price)["deployment"] for price in (0, 20, 400, 1e9)]
    assert pressed == ["d0", "d1", "d2", "d3"]
    assert (
        decide(core, budget_price=20)["reason"] == "best of 4 at 1 USD a unit of quality, budget price 20.000"
    )


def test_waiting_that_costs_prefers_the_faster_of_equals_and_only_beyond_the_limit() -> None:
    core = core_of((0.8, 1.0, 3000.0), (0.8, 1.1, 200.0))
    assert decide(core)["deployment"] == "d0"
    assert decide(core, latency_value_usd_per_s=0.01)["deployment"] == "d1"
    assert decide(core, latency_value_usd_per_s=0.01, max_latency_ms=60_000)["deployment"] == "d0"


def test_a_floor_stays_hard_whatever_quality_is_worth() -> None:
    core = core_of(*LADDER)
    assert decide(core, quality_value_usd=0, min_quality=0.6)["deployment"] == "d2"
    assert decide(core, quality_value_usd=0, quality_like="m1")["deployment"] == "d1"


def test_a_tolerance_and_a_floor_both_hold() -> None:
    core = core_of(*LADDER)

    def chosen(tolerance: float | None, floor: float | None) -> str:
        given = None if tolerance is None else (tolerance,) * 3
        name: str = decide(core, quality_tolerance=given, min_quality=floor)["deployment"]
        return name

    qualities = {f"d{index}": step[0] for index, step in enumerate(LADDER)}
    best = max(qualities.values())
    for tolerance in (0.0, 0.05, 0.15, 0.4, 1.0):
        for floor in (0.1, 0.6, 0.85):
            need = max(best - tolerance, floor)
            # The ladder's prices fall with quality: the cheapest that meets both is the last that does.
            assert chosen(tolerance, floor) == max(one for one, seen in qualities.items() if seen >= need)
    assert chosen(None, 0.1) == "d3"


BOTH = [
    ({"within_best": 0.1, "quality_value_usd": 1.0}, "quality_value_usd is given beside within_best"),
    (
        {"within_best": 0.1, "quality_tolerance": (0.1, 0.1, 0.1)},
        "within_best is given beside quality_tolerance",
    ),
    ({"within_best": 0.1, "budget_price": 0.0}, "budget_price is given beside within_best"),
    (
        {"quality_tolerance": (0.1, 0.1, 0.1), "budget_price": 1.0},
        "budget_price is given beside quality_tolerance",
    ),
    ({"within_best": -0.1}, "within_best is -0.1: give a number in [0, 1]"),
    ({"within_best": math.nan}, "within_best is NaN"),
    ({"quality_value_usd": -1}, "quality_value_usd is -1: give a number in [0, 1e9]"),
    ({"quality_value_usd": math.inf}, "quality_value_usd is inf"),
    ({"budget_price": math.nan}, "budget_price is NaN"),
    ({"latency_value_usd_per_s": -1e-9}, "latency_value_usd_per_s is -0.000000001"),
]


@pytest.mark.parametrize(("constraints", "message"), BOTH, ids=[message for _, message in BOTH])
def test_two_dials_or_a_bad_number_are_refused(constraints: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decide(core_of(*LADDER), **constraints)
    assert message in str(caught.value)
