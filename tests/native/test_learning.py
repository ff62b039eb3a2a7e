"""What outcomes teach: speed, length and quality; saved, loaded, shared between threads; nonsense refused."""

from __future__ import annotations

import json
import math
import threading
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pointsman._native import Core, Decision, InvalidInput, InvalidState, UnknownName
from pointsman.types import Constraints, Outcome

from .conftest import NOW_S, ask, catalog_document, catalog_of

QUESTION = ask("What is the capital of France?")


def two_deployments(**quality: float) -> Core:
    """`cheap` and `dear`, alike but for the price and what `quality` says."""
    document = catalog_document(2)
    document["models"] = [
        {**model, "quality": {"default": quality.get(name, 0.8)}, "name": name}
        for name, model in zip(("cheap", "dear"), document["models"], strict=False)
    ]
    for deployment, name in zip(document["deployments"], ("cheap", "dear"), strict=True):
        deployment |= {"name": name, "model": name}
        deployment["latency"] = {"ttft_p50_ms": 200, "ttft_p95_ms": 500, "tokens_per_s": 100}
    return Core(catalog_of(document))


def decide(core: Core, now_s: float = NOW_S, **constraints: Any) -> Decision:
    request = replace(QUESTION, constraints=Constraints(**constraints))
    return core.decide(request, now_s=now_s, seed=1)


def outcome(core: Core, deployment: str, **fields: Any) -> Outcome:
    decision = decide(core)
    return Outcome(
        deployment=deployment,
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        n_input_tokens=decision.n_input_tokens,
        **fields,
    )


def teach(core: Core, deployment: str, n: int = 60, now_s: float = NOW_S, **fields: Any) -> None:
    told = outcome(core, deployment, **fields)
    for _ in range(n):
        core.observe(told, now_s=now_s)


def test_a_deployment_that_turns_slow_is_predicted_slow_and_loses_under_an_sla() -> None:
    core = two_deployments()
    before = decide(core, max_latency_ms=4_000)
    assert before.deployment == "cheap"
    teach(core, "cheap", ttft_ms=6_000, latency_ms=7_000, n_output_tokens=50)
    after = decide(core, max_latency_ms=4_000)
    assert after.deployment == "dear"
    assert decide(core).predicted_ttft_p95_ms > 2 * before.predicted_ttft_p95_ms


def test_whole_answers_and_time_outs_tell_speed_too_and_quick_failures_do_not() -> None:
    for fields in ({"latency_ms": 9_000, "n_output_tokens": 40}, {"latency_ms": 30_000, "is_error": True}):
        core = two_deployments()
        teach(core, "cheap", **fields)
        assert decide(core, max_latency_ms=4_000).deployment == "dear"
    core = two_deployments()
    teach(core, "cheap", latency_ms=3, is_error=True)
    assert decide(core).to_json() == decide(two_deployments()).to_json()


def test_a_slow_spell_is_forgotten() -> None:
    core = two_deployments()
    teach(core, "cheap", n=300, ttft_ms=150, latency_ms=500, n_output_tokens=35)
    later_s = NOW_S + 3_600
    teach(core, "cheap", now_s=later_s, ttft_ms=20_000, latency_ms=21_000, n_output_tokens=35)
    assert decide(core, now_s=later_s).predicted_ttft_p95_ms > 3_000
    assert decide(core, now_s=later_s + 600).predicted_ttft_p95_ms < 3_000


def test_longer_answers_raise_the_expected_cost_and_a_terse_model_wins() -> None:
    core = two_deployments()
    before = decide(core)
    teach(core, "cheap", n_output_tokens=900)
    assert decide(core).predicted_cost_usd > 3 * before.predicted_cost_usd
    for _ in range(60):
        teach(core, "cheap", n=1, n_output_tokens=900)
        teach(core, "dear", n=1, n_output_tokens=40)
    assert decide(core).deployment == "dear"
    assert decide(core).predicted_cost_usd < 4 * before.predicted_cost_usd


def test_rewards_move_the_choice() -> None:
    core = two_deployments()
    assert decide(core, min_quality=0.7).deployment == "cheap"
    teach(core, "cheap", reward=0.1)
    teach(core, "dear", reward=0.9)
    decision = decide(core, min_quality=0.7)
    assert decision.deployment == "dear"
    assert decision.predicted_quality > 0.8


def test_a_reward_of_another_slice_moves_less() -> None:
    same, other = two_deployments(), two_deployments()
    teach(same, "cheap", reward=0.0)
    told = replace(outcome(other, "cheap", reward=0.0), domain="legal", structure="json")
    for _ in range(60):
        other.observe(told, now_s=NOW_S)
    qualities = [decide(core, max_cost_usd=1).predicted_quality for core in (same, other)]
    assert decide(same).deployment == "dear"
    assert qualities[1] > 0.4


def test_without_outcomes_and_after_a_bad_load_the_priors_stand() -> None:
    core = two_deployments(cheap=0.83)
    fresh = decide(core).to_json()
    saved = core.save()
    broken = [b"", saved[:-1], saved[:20] + bytes([saved[20] ^ 1]) + saved[21:], b"\0" * 64, saved + b"\0"]
    for data in broken:
        with pytest.raises(InvalidState, match="saved state"):
            core.load(data)
    assert decide(core).to_json() == fresh
    assert decide(core).predicted_quality == 0.83


def test_what_is_saved_is_what_is_loaded_and_names_are_matched() -> None:
    core = two_deployments()
    teach(core, "cheap", ttft_ms=900, latency_ms=2_000, n_output_tokens=300, reward=0.4)
    teach(core, "dear", now_s=NOW_S + 90, latency_ms=800, n_output_tokens=30, reward=0.9)
    other = two_deployments()
    other.load(core.save())
    assert other.save() == core.save()
    for later_s in (90, 400, 9_000):
        expected = decide(core, now_s=NOW_S + later_s).to_json()
        assert decide(other, now_s=NOW_S + later_s).to_json() == expected
    stranger = Core(catalog_of(catalog_document(4)))
    with pytest.raises(InvalidState, match="name models here as they are named there"):
        stranger.load(core.save())
    names = ("deployment", "predicted_quality", "predicted_ttft_p95_ms")
    fresh = Core(catalog_of(catalog_document(4)))
    assert [getattr(decide(stranger), name) for name in names] == [
        getattr(decide(fresh), name) for name in names
    ]


def test_a_swap_keeps_what_was_learned_of_names_that_stay() -> None:
    core, document = Core(catalog_of(catalog_document(8))), catalog_document(8)
    for name in ("p0/m0", "p0/m5"):
        teach(core, name, ttft_ms=5_000, latency_ms=9_000, n_output_tokens=200, reward=0.3)
    before = decide(core).to_json()
    document["deployments"].reverse()
    document["models"].reverse()
    core.swap(catalog_of(document))
    swapped = decide(core)
    core.swap(catalog_of(catalog_document(8)))
    assert decide(core).to_json() == before
    assert swapped.deployment == decide(core).deployment


@pytest.mark.parametrize("field", ["ttft_ms", "latency_ms", "reward"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, "soon"])
def test_nonsense_is_refused_and_nothing_is_learned(field: str, value: Any) -> None:
    core = two_deployments()
    fields = {"latency_ms": 100.0, "n_output_tokens": 9, "reward": 0.5} | {field: value}
    before = core.save()
    with pytest.raises(InvalidInput, match=field):
        core.observe(outcome(core, "cheap", **fields), now_s=NOW_S)
    assert core.save() == before


def test_names_labels_and_times_that_do_not_fit_are_refused() -> None:
    core = two_deployments()
    told = outcome(core, "cheap", latency_ms=100.0)
    before = core.save()
    with pytest.raises(UnknownName, match="did you mean"):
        core.observe(replace(told, deployment="cheep"), now_s=NOW_S)
    with pytest.raises(InvalidInput, match="domain"):
        core.observe(replace(told, domain="poetry"), now_s=NOW_S)
    with pytest.raises(InvalidInput, match="at most latency_ms"):
        core.observe(replace(told, ttft_ms=101.0), now_s=NOW_S)
    with pytest.raises(InvalidInput, match="n_output_tokens"):
        core.observe(replace(told, n_output_tokens=-1), now_s=NOW_S)
    for now_s in (math.nan, math.inf, -1.0):
        with pytest.raises(InvalidInput, match="now_s"):
            core.observe(told, now_s=now_s)
    assert core.save() == before


def test_sixty_four_threads_deciding_and_observing_lose_nothing() -> None:
    core, n_each = two_deployments(), 50
    barrier = threading.Barrier(64)

    def work(index: int) -> None:
        barrier.wait()
        told = outcome(core, "cheap", reward=1.0, latency_ms=300, n_output_tokens=20)
        for step in range(n_each):
            if index % 2:
                core.observe(told, now_s=NOW_S)
            else:
                assert decide(core).predicted_quality >= 0.8
            if index == 0 and step % 10 == 0:
                core.swap(core.catalog)
                core.load(core.save()) if step == 0 else core.save()

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(work, range(64)))
    alone = two_deployments()
    teach(alone, "cheap", n=32 * n_each, reward=1.0, latency_ms=300, n_output_tokens=20)
    assert decide(core).predicted_quality == pytest.approx(decide(alone).predicted_quality, abs=0.01)


def test_features_tell_alike_requests_apart_and_outlive_the_process() -> None:
    core = two_deployments()
    for i in range(100):
        for text, reward in (
            (f"Which cheese comes from valley {i}?", 0.9),
            (f"Which opera opened hall {i}?", 0.1),
        ):
            decision = core.decide(ask(text), now_s=NOW_S, seed=1)
            told = replace(outcome(core, "cheap", reward=reward), features=bytes(decision.features))
            core.observe(told, now_s=NOW_S)
    qualities = [
        json.loads(core.decide(ask(text), now_s=NOW_S, seed=1).to_json())["candidates"][0]["quality"]
        for text in ("Which cheese comes from valley 777?", "Which opera opened hall 777?")
    ]
    assert qualities[0] > qualities[1] + 0.2


def test_a_callers_vector_is_read_from_any_float32_buffer() -> None:
    core = two_deployments()
    vector = np.linspace(-1, 1, 8, dtype=np.float32)
    decisions = [
        core.decide(replace(QUESTION, vector=one), now_s=NOW_S, seed=1)
        for one in (vector, array("f", vector.tolist()), memoryview(vector))
    ]
    assert decisions[0].features == decisions[1].features == decisions[2].features
    assert len(decisions[0].features) == len(decide(core).features) + 4 * 8
    told = replace(outcome(core, "cheap", reward=0.5), features=decisions[0].features)
    core.observe(told, now_s=NOW_S)
    with pytest.raises(InvalidInput, match="vector is 9 values: give 8"):
        core.decide(replace(QUESTION, vector=np.ones(9, np.float32)), now_s=NOW_S, seed=1)


@pytest.mark.parametrize(
    "vector",
    [
        np.ones(8),
        np.ones(8, ">f4"),
        np.ones((2, 4), np.float32),
        np.ones(16, np.float32)[::2],
        np.full(8, np.nan, np.float32),
        np.full(8, -np.inf, np.float32),
        np.ones(0, np.float32),
        np.ones(513, np.float32),
        [1.0, 2.0],
        "eight",
    ],
)
def test_what_is_no_vector_is_refused_by_name(vector: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^vector is .*: give"):
        two_deployments().decide(replace(QUESTION, vector=vector), now_s=NOW_S, seed=1)


@pytest.mark.parametrize("features", [b"", b"\0" * 388, decide(two_deployments()).features[:-4], 7])
def test_features_that_no_decision_gave_are_refused(features: Any) -> None:
    core = two_deployments()
    with pytest.raises(InvalidInput, match=r"features is .*: give decision.features"):
        core.observe(replace(outcome(core, "cheap", reward=1.0), features=features), now_s=NOW_S)


def test_a_few_lucky_rewards_do_not_displace_the_incumbent_and_many_do() -> None:
    core, near = two_deployments(cheap=0.5, dear=0.8), {"quality_tolerance": (0.05, 0.05, 0.05)}
    teach(core, "dear", n=40, reward=0.8)
    teach(core, "cheap", n=14, reward=1.0)
    lucky = decide(core, **near)
    teach(core, "cheap", n=400, reward=1.0)
    assert (lucky.deployment, decide(core, **near).deployment) == ("dear", "cheap")
    assert lucky.reason == "incumbent; cheap is not proven within 0.05 of its quality"


def test_exploration_is_off_unless_asked_for() -> None:
    core = two_deployments()
    for seed in range(300):
        decision = core.decide(QUESTION, now_s=NOW_S, seed=seed)
        assert (decision.deployment, decision.propensity) == ("cheap", 1.0)


def test_exploration_draws_as_often_as_it_says_and_the_same_for_the_same_seed() -> None:
    core = two_deployments()
    request = replace(QUESTION, constraints=Constraints(exploration=True))
    n = 4_000
    drawn = core.decide_many([request] * n, now_s=NOW_S, seed=7)
    assert all(isinstance(decision, Decision) for decision in drawn)
    propensity = {one.deployment: one.propensity for one in drawn if isinstance(one, Decision)}
    assert sum(propensity.values()) == pytest.approx(1, abs=1e-12)
    assert 0 < propensity["dear"] < propensity["cheap"]
    n_dear = sum(isinstance(one, Decision) and one.deployment == "dear" for one in drawn)
    sd = math.sqrt(n * propensity["dear"] * propensity["cheap"])
    assert abs(n_dear - n * propensity["dear"]) < 4 * sd
    for seed in range(50):
        again = [core.decide(request, now_s=NOW_S, seed=seed).to_json() for _ in range(2)]
        assert again[0] == again[1]
    explored = next(one for one in drawn if isinstance(one, Decision) and one.deployment == "dear")
    assert explored.ranking == ["dear", "cheap"]
    assert explored.reason.startswith("explored with probability 0.0")


def test_exploration_never_draws_what_does_not_meet_the_need() -> None:
    core = Core(catalog_of(catalog_document(8)))
    request = replace(
        QUESTION, constraints=Constraints(exploration=True, min_propensity=0.005, min_quality=0.72)
    )
    drawn = core.decide_many([request] * 2_000, now_s=NOW_S, seed=1)
    names = {one.deployment for one in drawn if isinstance(one, Decision)}
    assert names == {f"p0/m{i}" for i in range(4, 8)}


def test_more_rewards_leave_less_to_chance() -> None:
    core = two_deployments()

    def chance() -> float:
        request = replace(QUESTION, constraints=Constraints(exploration=True))
        decisions = [core.decide(request, now_s=NOW_S, seed=seed) for seed in range(40)]
        return 1 - max(decision.propensity for decision in decisions)

    before = chance()
    for name in ("cheap", "dear"):
        teach(core, name, n=500, reward=0.8)
    assert 0 < chance() < before
