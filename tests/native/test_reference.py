"""The core against a reference of a page of plain Python: cost, feasibility, choice."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman._native import Core, NoFeasibleDeployment
from pointsman.types import Constraints, ProviderPreferences

from .conftest import NOW_S, ask, catalog_document, catalog_of

TOLERANCE = {"lookup": 0.20, "generation": 0.10, "reasoning": 0.02}
PROMPTS = [
    "What is the capital of France?",
    "Write a Python function that merges two sorted lists.",
    "Prove step by step that the square root of 2 is irrational.",
    "Classify this as spam or not: answer yes or no.",
]


def logit(p: float) -> float:
    p = min(max(p, 0.001), 0.999)
    return math.log(p / (1 - p))


def quality(prior: dict[str, float], domain: str, complexity: str) -> float:
    base = logit(prior["default"])
    if f"{domain}/{complexity}" in prior:
        return prior[f"{domain}/{complexity}"]
    shift = sum(logit(prior[key]) - base for key in (domain, complexity) if key in prior)
    return 1 / (1 + math.exp(-(base + shift)))


def predict(
    document: dict[str, Any], profile: dict[str, Any], deployment: dict[str, Any], n_input: int
) -> dict[str, float]:
    model = next(model for model in document["models"] if model["name"] == deployment["model"])
    p50, p90 = profile["output_tokens"]["p50"], profile["output_tokens"]["p90"]
    sigma = math.log(p90 / p50) / 1.2815515655
    n_output = round(p50 * math.exp(sigma * sigma / 2))
    price = deployment["price_nano_usd_per_mtok"]
    nano_usd = math.floor(
        Fraction(price["input"] * n_input + price["output"] * n_output, 10**6) + Fraction(1, 2)
    )
    latency = deployment["latency"]
    return {
        "quality": quality(model["quality"], profile["domain"]["label"], profile["complexity"]["label"]),
        "cost_usd": nano_usd / 1e9,
        "latency_p95_ms": latency["ttft_p95_ms"] + p90 * 1000 / latency["tokens_per_s"],
        "ttft_p95_ms": latency["ttft_p95_ms"],
    }


def rejections(limits: Constraints, predicted: dict[str, float]) -> set[tuple[str, str]]:
    checks = [
        ("latency_sla", "latency_p95_ms", limits.max_latency_ms, predicted["latency_p95_ms"], 1),
        ("latency_sla", "ttft_p95_ms", limits.max_ttft_ms, predicted["ttft_p95_ms"], 1),
        ("max_cost", "max_cost_usd", limits.max_cost_usd, predicted["cost_usd"], 1),
        ("quality_floor", "min_quality", limits.min_quality, predicted["quality"], -1),
    ]
    return {
        (code, field)
        for code, field, limit, value, sign in checks
        if limit is not None and sign * (value - limit) > 0
    }


def maybe(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


@settings(max_examples=300, deadline=None)
@given(
    text=st.sampled_from(PROMPTS),
    limits=st.builds(
        Constraints,
        max_cost_usd=maybe(1e-6, 1e-2),
        max_latency_ms=maybe(100, 60_000),
        max_ttft_ms=maybe(100, 1_000),
        min_quality=maybe(0.4, 1),
    ),
    n=st.integers(1, 40),
    qualities=st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.9]), min_size=8, max_size=8),
)
def test_the_core_decides_as_the_reference_does(
    text: str, limits: Constraints, n: int, qualities: list[float]
) -> None:
    document = catalog_document(n)
    for model, value in zip(document["models"], qualities, strict=True):
        model["quality"] = {"default": value, "code": 1 - value, "reasoning": 0.75}
    core = Core(catalog_of(document))
    try:
        answer = core.decide(ask(text, constraints=limits), now_s=NOW_S, seed=1)
        record = json.loads(answer.to_json())
    except NoFeasibleDeployment as error:
        record = json.loads(error.infeasible.to_json())
    profile = record["task_profile"]
    feasible = []
    for deployment, candidate in zip(document["deployments"], record["candidates"], strict=True):
        n_input = candidate["n_input_tokens"]
        # No known tokenizer: a tenth more tokens than o200k's, three tenths if no byte is ASCII.
        assert 1.1 * profile["n_input_tokens"] - 1 < n_input < 1.3 * profile["n_input_tokens"] + 1
        predicted = predict(document, profile, deployment, n_input)
        for field, value in predicted.items():
            assert math.isclose(candidate[field], value, rel_tol=1e-9, abs_tol=1e-12), field
        expected = rejections(limits, {field: candidate[field] for field in predicted})
        assert {(why["code"], why["field"]) for why in candidate["rejected_by"]} == expected
        if not expected:
            feasible.append(candidate)
    assert record["deployment"] == choose(feasible, limits.min_quality, profile["complexity"]["label"])


def choose(feasible: list[dict[str, Any]], floor: float | None, complexity: str) -> str | None:
    if not feasible:
        return None
    need = floor if floor is not None else max(one["quality"] for one in feasible) - TOLERANCE[complexity]
    good = [one for one in feasible if one["quality"] >= need]
    best = min(
        good, key=lambda one: (one["cost_usd"], -one["quality"], one["latency_p95_ms"], one["deployment"])
    )
    return str(best["deployment"])


@settings(max_examples=200, deadline=None)
@given(
    tokens=st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7)),
    price=st.tuples(st.integers(0, 10**13), st.fractions(0, 1), st.integers(0, 10**13)),
)
def test_costs_are_exact_nano_dollars(tokens: tuple[int, int, int], price: tuple[int, Fraction, int]) -> None:
    document = catalog_document(1)
    names = ("input", "cached_input", "output")
    prices = (price[0], math.floor(price[0] * price[1]), price[2])
    document["deployments"][0]["price_nano_usd_per_mtok"] = dict(zip(names, prices, strict=True))
    fresh, cached, output = tokens
    got = catalog_of(document).cost_nano_usd(
        "p0/m0", n_input_tokens=fresh + cached, n_cached_input_tokens=cached, n_output_tokens=output
    )
    exact = Fraction(sum(n * p for n, p in zip(tokens, prices, strict=True)), 10**6)
    assert got == math.floor(exact + Fraction(1, 2))


def test_preferences_are_honoured(core: Core) -> None:
    def ranking(**preferences: Any) -> list[str]:
        request = ask(preferences=ProviderPreferences(**preferences))
        return core.decide(request, now_s=NOW_S, seed=1).ranking

    assert {name[:2] for name in ranking(only=("p1", "P2"))} == {"p1", "p2"}
    assert {name[:2] for name in ranking(ignore=("p0",))} == {"p1", "p2", "p3"}
    assert {name[:2] for name in ranking(data_collection="deny")} == {"p1"}
    assert ranking(order=("p3",))[0].startswith("p3")
    assert {name[:2] for name in ranking(order=("p3", "p2"), allow_fallbacks=False)} == {"p2", "p3"}
    assert len(ranking(allow_fallbacks=False)) == 1
    assert {name[3:] for name in ranking(max_input_price_usd_per_mtok=0.2)} == {"m0"}
    assert ranking(sort="latency")[0] == "p0/m0"
    assert ranking(sort="throughput")[0] == "p3/m7"


def test_allowed_models_rank_in_their_order_and_needs_reject(core: Core) -> None:
    decision = core.decide(ask(allowed_models=("m6", "m2")), now_s=NOW_S, seed=1)
    assert [decision.model_of(name) for name in decision.ranking] == ["m6"] * 4 + ["m2"] * 4
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    request = ask([{"type": "text", "text": "What is in it?"}, picture])  # type: ignore[arg-type]
    record = json.loads(core.decide(request, now_s=NOW_S, seed=1).to_json())
    refused = {one["model"] for one in record["candidates"] if not one["feasible"]}
    assert refused == {"m0", "m2", "m4", "m6"}
    assert record["candidates"][0]["rejected_by"][0] == {
        "code": "capability",
        "field": "vision",
        "limit": True,
        "value": False,
        "slack": None,
    }


def test_functions_ask_for_a_model_with_tools() -> None:
    document = catalog_document(2)
    document["models"][0]["capabilities"] = []
    decision = Core(catalog_of(document)).decide(ask(parameters=("functions",)), now_s=NOW_S, seed=1)
    assert decision.ranking == ["p0/m1"]
