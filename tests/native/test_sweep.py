"""`sweep_many` decides as `decide` does, at every position of the dial."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pointsman._native import Core, InvalidInput
from pointsman.types import Constraints, Outcome, Request

from .conftest import NOW_S, ask, catalog_document, catalog_of

TEXTS = ["What is the capital of France?", "def f(x): fix this Python function", "Prove that 7 is prime."]
VALUES = [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e9]


@pytest.fixture
def taught() -> Core:
    """A core with grades of a few deployments."""
    core = Core(catalog_of(catalog_document(8)))
    for index in range(200):
        decision = core.decide(ask(TEXTS[index % 3]), now_s=NOW_S, seed=0)
        outcome = Outcome(
            deployment=f"p0/m{index % 8}",
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            decision=decision,
            reward=float(index % 5 < 2 + index % 3),
        )
        core.observe(outcome, now_s=NOW_S)
    return core


def swept(core: Core, requests: list[Request]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    quality, cost, chosen = core.sweep_many(requests, VALUES, now_s=NOW_S, seed=0)
    shape = (len(requests), len(core.catalog))
    return (
        np.frombuffer(quality).reshape(shape),
        np.frombuffer(cost).reshape(shape),
        np.frombuffer(chosen, dtype=np.int32).reshape(len(requests), len(VALUES)),
    )


def test_a_sweep_says_what_decide_would_choose_and_predict(taught: Core) -> None:
    requests = [ask(text) for text in TEXTS]
    quality, cost, chosen = swept(taught, requests)
    seen = set()
    for row, request in enumerate(requests):
        for column, value in enumerate(VALUES):
            priced = replace(request, constraints=Constraints(quality_value_usd=value))
            decision = taught.decide(priced, now_s=NOW_S, seed=0)
            record: dict[str, Any] = json.loads(decision.to_json())
            assert taught.catalog.deployments[chosen[row, column]] == decision.deployment
            for place, candidate in enumerate(record["candidates"]):
                assert quality[row, place] == pytest.approx(candidate["quality"], abs=1e-6)
                assert cost[row, place] == pytest.approx(candidate["cost_usd"], rel=1e-6)
            seen.add(decision.deployment)
    assert len(seen) > 2


def test_a_request_s_limits_hold_and_none_feasible_is_minus_one(taught: Core) -> None:
    allowed = ask(TEXTS[0], allowed_models=("m3",))
    barred = ask(TEXTS[0], constraints=Constraints(max_cost_usd=0.0))
    chosen = swept(taught, [allowed, barred])[2]
    assert chosen.tolist() == [[3] * len(VALUES), [-1] * len(VALUES)]


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, 1e10])
def test_a_value_out_of_range_is_refused(taught: Core, value: float) -> None:
    with pytest.raises(InvalidInput, match="quality_values_usd"):
        taught.sweep_many([ask()], [value], now_s=NOW_S, seed=0)


def test_a_faulty_request_is_named_by_its_index(taught: Core) -> None:
    with pytest.raises(InvalidInput, match=r"requests\[1\]"):
        taught.sweep_many([ask(), ask(max_output_tokens=0)], [1.0], now_s=NOW_S, seed=0)
