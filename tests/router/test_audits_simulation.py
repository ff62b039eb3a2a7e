"""What live audits certify, over many seeds of a world whose truth is known; a twin without a test is wrong often.

The whole way: decisions of the real core, drawn by their ids, graded, learned from by the very model that predicts
the scores which certificates are over.
"""

from __future__ import annotations

import random

import orjson
import pytest

from pointsman._native import Core
from pointsman.config import SignalSettings
from pointsman.router.audits import Audits, outcome_of
from pointsman.types import Constraints

from ..native.conftest import NOW_S, ask, catalog_document, catalog_of

FLOOR = 0.9
N_AUDITS = 100 + 250 + 500
N_SEEDS = 40
TEXTS = [f"What is the capital of country number {number}?" for number in range(20)]
SETTINGS = SignalSettings.model_validate({"verdicts": [{"grader": "empty", "audit_share": 0.5}]})


def audited(seed: int, risk: float) -> tuple[bool, float]:
    """Whether a deployment is ever certified at the floor, and what share of its audits failed."""
    core = Core(catalog_of(catalog_document(1)))
    draws = random.Random(seed)
    told: list[float] = []
    audits = Audits(SETTINGS, lambda outcome: core.observe(outcome, now_s=NOW_S))
    is_certified = False
    while len(told) < N_AUDITS:
        request = ask(draws.choice(TEXTS), constraints=Constraints())
        decision = core.decide(request, now_s=NOW_S, seed=draws.getrandbits(63))
        value = float(draws.random() >= risk)
        audit = audits.drawn(decision, None)
        if audit is None:
            continue
        told.append(value)
        audits.judged(audit, decision, None, decision.deployment, value)
        core.observe(outcome_of(decision, None, decision.deployment, reward=value), now_s=NOW_S)
        if len(told) in (350, N_AUDITS):
            certified = [one for floor in orjson.loads(core.floors()) for one in floor["certificates"]]
            is_certified |= any(one["min_quality"] >= FLOOR for one in certified)
    return is_certified, 1.0 - sum(told) / len(told)


@pytest.fixture(scope="module")
def just_too_bad() -> list[tuple[bool, float]]:
    return [audited(seed, 0.105) for seed in range(N_SEEDS)]


def test_a_deployment_just_below_the_floor_is_certified_as_rarely_as_promised(just_too_bad):
    share = sum(is_certified for is_certified, _ in just_too_bad) / N_SEEDS
    # `delta + 2 sqrt(delta (1 - delta) / seeds)`.
    assert share <= 0.119


def test_its_share_of_failures_alone_would_let_it_pass(just_too_bad):
    share = sum(failed <= 1.0 - FLOOR for _, failed in just_too_bad) / N_SEEDS
    assert share > 0.119


def test_a_good_deployment_is_certified_and_a_bad_one_never():
    assert all(audited(seed, 0.01)[0] for seed in range(5))
    assert not any(audited(seed, 0.2)[0] for seed in range(5))
