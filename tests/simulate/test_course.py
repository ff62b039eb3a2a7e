"""What is drawn: its distributions, its seeds, and what a course says of its faults."""

from __future__ import annotations

import math
from random import Random

import pytest

from pointsman.simulate import FAULTS, Ask, ProviderScript, SimulatedProvider, draw_course, parse_script
from pointsman.simulate.script import Fault, Latency

N = 4000


def provider(seed=1, **settings):
    return SimulatedProvider("alpha", ProviderScript.model_validate(settings), seed)


def courses(n=N, seed=1, n_output_tokens=100, **settings):
    simulated = provider(seed, **settings)
    made = []
    for _ in range(n):
        call = simulated.arrive(0.0, Ask(n_output_tokens=n_output_tokens, is_stream=True))
        simulated.leave(call, 0.0, "complete", 0)
        made.append(call.course)
    return made


def share(truths):
    truths = list(truths)
    return sum(truths) / len(truths)


def near(p):
    """Five standard errors of a share of N: a right simulation fails once in two million runs."""
    return pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / N))


def test_half_the_first_tokens_come_by_the_median_and_a_twentieth_after_the_95th_percentile():
    drawn = courses(latency={"ttft_p50_ms": 200, "ttft_p95_ms": 800})
    assert share(course.ttft_s < 0.2 for course in drawn) == near(0.5)
    assert share(course.ttft_s > 0.8 for course in drawn) == near(0.05)


def test_a_twentieth_is_slower_than_the_slow_pace():
    drawn = courses(latency={"tokens_per_s": 100, "tokens_per_s_p5": 40})
    assert share(course.tokens_per_s < 40 for course in drawn) == near(0.05)
    assert share(course.tokens_per_s < 100 for course in drawn) == near(0.5)


def test_tail_is_pareto():
    drawn = courses(latency={"ttft_p50_ms": 100, "tail": {"p": 1, "shape": 1.5, "max_factor": 1e9}})
    assert share(course.ttft_s > 0.1 * 4 for course in drawn) == near(4**-1.5)
    assert min(course.ttft_s for course in drawn) >= 0.1


def test_stalls_have_their_share_and_mean_and_fall_anywhere():
    drawn = courses(latency={"stall": {"p": 0.25, "mean_s": 2}})
    stalled = [course for course in drawn if course.stall_s]
    assert len(stalled) / N == near(0.25)
    mean_s = sum(course.stall_s for course in stalled) / len(stalled)
    assert mean_s == pytest.approx(2, abs=5 * 2 / math.sqrt(len(stalled)))
    assert share(course.stall_at < 50 for course in drawn) == near(0.5)


def test_faults_have_their_probabilities():
    drawn = courses(faults={"unavailable": 0.1, "idle": 0.05})
    kinds = [course.fault.kind if course.fault else None for course in drawn]
    assert kinds.count("unavailable") / N == near(0.1)
    assert kinds.count("idle") / N == near(0.9 * 0.05)


def test_burst_strikes_the_calls_that_follow():
    drawn = courses(faults=[{"kind": "server_error", "p": 0.01, "burst": 10}])
    failed = [course.fault is not None for course in drawn]
    starts = [i for i in range(1, N - 10) if failed[i] and not failed[i - 1]]
    assert len(starts) > 10
    assert all(all(failed[i : i + 10]) for i in starts)


def test_same_seed_same_courses_and_another_seed_others():
    settings = {"latency": {"ttft_p95_ms": 500}, "faults": {"unavailable": 0.3}}
    assert courses(50, seed=4, **settings) == courses(50, seed=4, **settings)
    assert courses(50, seed=4, **settings) != courses(50, seed=5, **settings)


def test_probability_of_a_fault_does_not_move_the_latencies():
    calm = courses(200, latency={"ttft_p95_ms": 500})
    rough = courses(200, latency={"ttft_p95_ms": 500}, faults={"unavailable": 0.5})
    assert [course.ttft_s for course in calm] == [course.ttft_s for course in rough]


@pytest.mark.parametrize("kind", FAULTS)
def test_course_says_when_and_whether_a_fault_ends_the_answer(kind):
    latency = Latency(ttft_p50_ms=100, tokens_per_s=100)
    fault = Fault(kind=kind, after_tokens=2, delay_s=0.5)
    course = draw_course(latency, fault, Random(1), n_input_tokens=10, n_tokens=50)
    n_sent = {"head": 0, "token": 2}.get(FAULTS[kind].moment, 50)
    assert course.n_sent == n_sent
    assert course.is_answered is not FAULTS[kind].is_failure
    if kind in ("hang", "idle"):
        assert course.ends_s == math.inf
    elif FAULTS[kind].moment == "head":
        assert course.ends_s == 0.5
    else:
        late_s = 0.5 if kind == "slow_first_token" else 0.0
        assert course.ends_s == pytest.approx(0.1 + late_s + n_sent / 100)


def test_more_calls_than_slots_are_slower():
    simulated = provider(slots=2, latency={"ttft_p50_ms": 100})
    taken = [simulated.arrive(0.0, Ask(n_output_tokens=5)).course.ttft_s for _ in range(6)]
    assert taken == pytest.approx([0.1, 0.1, 0.15, 0.2, 0.25, 0.3])


def test_input_lengthens_the_first_token():
    simulated = provider(latency={"ttft_p50_ms": 100, "ttft_ms_per_ktok": 50})
    assert simulated.arrive(0.0, Ask(n_input_tokens=4000)).course.ttft_s == pytest.approx(0.3)


TIMELINE = """
providers:
  alpha:
    models: {m: {price_usd_per_mtok: {input: 1, output: 2}}}
    latency: {ttft_p50_ms: 100, tokens_per_s: 50}
    timeline:
      - {at_s: 30, faults: {unavailable: 0.15}}
      - {at_s: 60, until_s: 90, latency: {tokens_per_s: 5}}
      - {at_s: 80, price_usd_per_mtok: {m: {input: 10, output: 20}}}
"""


@pytest.mark.parametrize(
    ("at_s", "n_faults", "tokens_per_s", "output_usd"),
    [(0, 0, 50, 2), (29.9, 0, 50, 2), (30, 1, 50, 2), (60, 1, 5, 2), (85, 1, 5, 20), (90, 1, 50, 20)],
)
def test_timeline_changes_what_it_names_and_leaves_the_rest(at_s, n_faults, tokens_per_s, output_usd):
    simulated = SimulatedProvider("alpha", parse_script(TIMELINE).providers["alpha"])
    now = simulated.conditions(at_s)
    assert len(now.faults) == n_faults
    assert now.latency.tokens_per_s == tokens_per_s
    assert now.latency.ttft_p50_ms == 100
    assert now.prices["m"].output == output_usd


def test_provider_bills_at_the_price_of_the_moment():
    simulated = SimulatedProvider("alpha", parse_script(TIMELINE).providers["alpha"])
    for now_s in (0.0, 100.0):
        call = simulated.arrive(now_s, Ask(model="m", n_input_tokens=1000, n_output_tokens=500))
        simulated.leave(call, now_s, "complete", 500)
    assert [call.cost_usd for call in simulated.calls] == pytest.approx([0.002, 0.020])
    assert simulated.summary()["cost_usd"] == pytest.approx(0.022)
